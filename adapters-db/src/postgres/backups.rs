//! Snapshots and backups of a database on a server: files as those of a SQLite node are.

use ports::{
    Backup, BackupError, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups,
    MadeSnapshot, Purpose, Snapshot, StagedBackup,
};
use rusqlite::types::Value;
use time::OffsetDateTime;

use super::database::PostgresDatabase;
use super::restore::Staged;
use super::session::Ask;
use crate::content::not_initialised;
use crate::defect::defect;
use crate::sqlite::db::Db;
use crate::sqlite::{backup, snapshot, space};

/// How many bytes the rows of the schema take.
const SIZE: &str = "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'";

impl Backups for PostgresDatabase {
    fn check_snapshot(&self) -> Result<(), BackupError> {
        let server = &self.0;
        let bytes = server.connections.read("asking for its size", |opened| {
            let schema = Value::Text(opened.target.schema.as_str().to_owned());
            let answers = opened.ask(&[Ask::new(SIZE, vec![schema])])?;
            match answers.into_iter().flatten().flatten().next() {
                Some(Value::Integer(bytes)) => Ok(u64::try_from(bytes).unwrap_or_default()),
                _ => Err(defect(
                    "the server does not say how large its tables are",
                    None,
                )),
            }
        })?;
        let (name, snapshots) = (server.name(), &server.snapshots);
        Ok(space::check_snapshot_of_server(&name, snapshots, bytes)?)
    }

    fn snapshot(&self, purpose: Purpose, now: OffsetDateTime) -> Result<MadeSnapshot, BackupError> {
        let kind = purpose.into();
        let twin = self.0.copy()?;
        let twin = twin.ok_or_else(|| not_initialised(&self.0.name()))?;
        Ok(self.0.snapshot_of(&twin, kind, now)?)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(snapshot::all(&self.0.snapshots)?)
    }

    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError> {
        let name = self.0.name();
        let twin = self.0.copy()?.ok_or_else(|| BackupError::NoDatabase {
            path: name.to_string(),
        })?;
        let db = Db::new(&name, &twin.connection);
        let (beside, snapshots) = (&self.0.beside, &self.0.snapshots);
        backup::create(&db, beside, snapshots, target, origin, &self.0.watch)
    }

    fn verify(&self, source: BackupSource<'_>) -> Result<Backup, BackupError> {
        backup::read(source, &self.0.snapshots, &self.0.watch)
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError> {
        Ok(Box::new(Staged::of(source, self.0.clone())?))
    }
}
