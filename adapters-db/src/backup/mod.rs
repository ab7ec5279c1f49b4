//! Backups: a SQLite database with a manifest after its last page.
//!
//! So `sqlite3` opens a backup, and whoever has lost this program can still read it.

mod create;
mod digest;
mod manifest;
mod own;
mod read;
mod replaced;
mod stage;

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{
    Backup, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, Fault, FaultKind,
    StagedBackup,
};

use crate::connections::Connections;
use crate::database::SqliteDatabase;

/// Backups of the node's database in one SQLite file.
#[derive(Debug)]
pub struct SqliteBackups {
    connections: Arc<Connections>,
    snapshots: Utf8PathBuf,
}

impl SqliteBackups {
    /// Of this database, whose connection it shares: a restore closes that, or it would stand in
    /// its own way. A directory that is missing is made by a restore where the database may.
    #[must_use]
    pub fn of(database: &SqliteDatabase) -> Self {
        Self {
            connections: Arc::clone(database.connections()),
            snapshots: database.snapshot_directory().to_owned(),
        }
    }
}

impl Backups for SqliteBackups {
    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupManifest, Fault> {
        let path = self.connections.path();
        let made = self.connections.read(|connection| {
            create::create(path, &self.snapshots, connection, target, origin, progress)
        })?;
        made.ok_or_else(|| no_database(path))
    }

    fn read(&self, source: BackupSource<'_>) -> Result<Backup, Fault> {
        read::read(source, &self.snapshots)
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, Fault> {
        let staged = stage::Staged::of(source, Arc::clone(&self.connections), &self.snapshots)?;
        Ok(Box::new(staged))
    }
}

fn no_database(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!("there is no database {path} yet"),
        "run `trustpointctl startup` first, or correct the path",
    )
}
