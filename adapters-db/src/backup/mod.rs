//! Backups: a SQLite database with one more table, the manifest.
//!
//! So `sqlite3` opens a backup, and whoever has lost this program can still read it.

mod create;
mod digest;
mod manifest;
mod read;
mod replaced;
mod stage;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{
    Backup, BackupManifest, BackupOrigin, BackupPlace, Backups, Fault, FaultKind, StagedBackup,
};

use crate::connections::{Connections, Mode};

/// Backups of the node's database in one SQLite file.
#[derive(Debug)]
pub struct SqliteBackups {
    connections: Connections,
    snapshots: Utf8PathBuf,
    create_parents: bool,
}

impl SqliteBackups {
    /// Of the database at `path`, with its snapshots in `snapshots`. With `create_parents` a
    /// directory that is missing is made by a restore.
    #[must_use]
    pub fn new(path: Utf8PathBuf, snapshots: Utf8PathBuf, create_parents: bool) -> Self {
        Self {
            connections: Connections::new(path, Mode::ReadOnly, create_parents),
            snapshots,
            create_parents,
        }
    }
}

impl Backups for SqliteBackups {
    fn place(&self, file: &str) -> Result<BackupPlace, Fault> {
        read::place(Utf8Path::new(file))
    }

    fn create(
        &self,
        file: &str,
        origin: &BackupOrigin,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupManifest, Fault> {
        let path = self.connections.path();
        let busy = self.connections.busy();
        let made = self.connections.read(|source| {
            create::create(path, source, busy, Utf8Path::new(file), origin, progress)
        })?;
        made.ok_or_else(|| no_database(path))
    }

    fn read(&self, file: &str) -> Result<Backup, Fault> {
        read::read(Utf8Path::new(file))
    }

    fn stage(&self, file: &str) -> Result<Box<dyn StagedBackup>, Fault> {
        let staged = stage::Staged::of(
            Utf8Path::new(file),
            self.connections.path(),
            &self.snapshots,
            self.create_parents,
            self.connections.busy(),
        )?;
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
