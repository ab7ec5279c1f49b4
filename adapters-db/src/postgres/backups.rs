//! Snapshots and backups of a database on a server: files as those of a SQLite node are.

use ports::{
    Backup, BackupError, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups,
    MadeSnapshot, Purpose, Snapshot, StagedBackup,
};
use time::OffsetDateTime;

use super::database::{PostgresDatabase, not_initialised};
use super::restore::Staged;
use crate::db::Db;
use crate::snapshot_files::Kind;
use crate::{backup, snapshot, space};

impl Backups for PostgresDatabase {
    fn check_snapshot(&self) -> Result<(), BackupError> {
        Ok(space::check_snapshot(&self.beside, &self.snapshots)?)
    }

    fn snapshot(&self, purpose: Purpose, now: OffsetDateTime) -> Result<MadeSnapshot, BackupError> {
        let kind = match purpose {
            Purpose::BeforeUpgrade => Kind::Upgrade,
            Purpose::KeepsKey => Kind::Replaced,
        };
        let name = self.name();
        let state = self
            .mirror_of_all()?
            .ok_or_else(|| not_initialised(&name))?;
        let db = Db::new(&name, &state.mirror.connection);
        let (beside, snapshots) = (&self.beside, &self.snapshots);
        Ok(snapshot::make(
            &db,
            None,
            beside,
            snapshots,
            kind,
            now,
            &self.watch,
        )?)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(snapshot::all(&self.snapshots)?)
    }

    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError> {
        let name = self.name();
        let state = self.mirror_of_all()?;
        let state = state.ok_or_else(|| BackupError::NoDatabase {
            path: name.to_string(),
        })?;
        let db = Db::new(&name, &state.mirror.connection);
        backup::create(
            &db,
            &self.beside,
            &self.snapshots,
            target,
            origin,
            &self.watch,
        )
    }

    fn verify(&self, source: BackupSource<'_>) -> Result<Backup, BackupError> {
        backup::read(source, &self.snapshots, &self.watch)
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError> {
        Ok(Box::new(Staged::of(source, self.clone())?))
    }
}
