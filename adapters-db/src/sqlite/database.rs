//! [`SqliteDatabase`]: what is special of a file.

use std::sync::Arc;

use camino::Utf8PathBuf;
use domain::SchemaState;
use ports::{
    Backup, BackupError, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups,
    MadeSnapshot, Migrated, NodeRecord, Purpose, Snapshot, StagedBackup, StoreError,
};
use refinery::Runner;
use time::OffsetDateTime;

use crate::content::Content;
use crate::content::not_initialised;
use crate::sql::Tables;
use crate::sqlite::backup::{self, Staged};
use crate::sqlite::connections::{Connections, Mode};
use crate::sqlite::live_copy::plain_file;
use crate::sqlite::path_state::{PathState, is_journal_hot};
use crate::sqlite::{draft, integrity, migrate, snapshot, space};
use crate::store::{Database, Engine};
use crate::watch::Watch;
use crate::{history, node, schema};

/// A database in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    connections: Arc<Connections>,
    snapshots: Utf8PathBuf,
    watch: Watch,
}

/// The node's database in one SQLite file.
pub type SqliteDatabase = Database<SqliteFile>;

impl SqliteDatabase {
    /// The database at `path`, to be read and written by a start that holds the start lock;
    /// snapshots go to the directory `snapshots`.
    ///
    /// With `create_parents` a directory that is missing is made by the first migration, and until
    /// then means "not initialised". Without, it is
    /// [`ports::FaultKind::DatabaseUnavailable`]: a volume was probably not mounted.
    #[must_use]
    pub fn new(path: Utf8PathBuf, snapshots: Utf8PathBuf, create_parents: bool) -> Self {
        Self::of(path, snapshots, Mode::ReadWrite, create_parents)
    }

    /// The database at `path`, of which not a byte is changed or created, even where a dead
    /// writer left a journal. A missing directory means "not initialised" where a start may make
    /// it (`create_parents`).
    #[must_use]
    pub fn read_only(path: Utf8PathBuf, snapshots: Utf8PathBuf, create_parents: bool) -> Self {
        Self::of(path, snapshots, Mode::ReadOnly, create_parents)
    }

    fn of(path: Utf8PathBuf, snapshots: Utf8PathBuf, mode: Mode, create_parents: bool) -> Self {
        Self(SqliteFile {
            connections: Arc::new(Connections::new(path, mode, create_parents)),
            snapshots,
            watch: Watch::default(),
        })
    }

    /// The same; `watch` hears how far a copy or a check is.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.0.watch = watch;
        self
    }

    #[cfg(test)]
    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    #[cfg(test)]
    pub(crate) fn connections_mut(&mut self) -> &mut Connections {
        Arc::get_mut(&mut self.0.connections).unwrap()
    }
}

impl SqliteFile {
    /// [`Engine::migrate`] with other migrations than the embedded ones.
    pub(crate) fn migrate_with(&self, runner: &Runner) -> Result<Migrated, StoreError> {
        self.connections
            .create(|connection| migrate::migrate(&self.connections.path, connection, runner))
    }

    /// Whether a dead writer left something beside the database that a start will deal with.
    fn is_to_recover(&self) -> Result<bool, StoreError> {
        let Connections {
            path,
            parents_allowed,
            ..
        } = &*self.connections;
        match PathState::of(path, *parents_allowed)? {
            PathState::File(facts) if facts.log => Ok(true),
            PathState::File(facts) if facts.journal => is_journal_hot(path),
            _ => Ok(false),
        }
    }
}

impl Engine for SqliteFile {
    const KEPT_STARTS: i64 = history::KEPT_ROWS;

    fn read<T>(
        &self,
        read: impl Fn(&Tables<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.connections
            .read(|db, content| read(&db.tables(), content))
    }

    fn write<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connections.write(doing, |tables, _| write(tables))
    }

    fn write_history<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>, Content, Option<&str>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // The start lock keeps every other version away.
        self.connections
            .write(doing, |tables, content| write(tables, content, None))
    }

    fn may_note(&self) -> Result<bool, StoreError> {
        // Asked first: a read by who may write recovers it.
        if self.is_to_recover()? {
            return Ok(false);
        }
        let content = self.connections.read(|_, content| Ok(content))?;
        Ok(content == Some(Content::Schema(SchemaState::Current)))
    }

    fn record(&self) -> Result<Option<NodeRecord>, StoreError> {
        let record = self.connections.read(|db, content| {
            integrity::check(db)?;
            node::record(&db.tables(), content)
        })?;
        Ok(record.flatten())
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        self.connections.check_writable()
    }

    fn check_integrity(&self) -> Result<(), StoreError> {
        self.connections
            .read(|db, _| integrity::check_all(db))
            .map(drop)
    }

    fn migrate(&self) -> Result<Migrated, StoreError> {
        self.connections.ensure_writable_mode()?;
        // A restore that was killed may have left them.
        draft::remove_leftovers_beside(&self.connections.path)?;
        match self.connections.read(|_, content| Ok(content))? {
            Some(Content::Schema(SchemaState::Current)) => Ok(Migrated::Unchanged),
            _ => self.migrate_with(&schema::runner()?),
        }
    }

    fn scrub(&self) -> Result<(), StoreError> {
        self.connections.scrub()
    }
}

impl Backups for SqliteDatabase {
    fn check_snapshot(&self) -> Result<(), BackupError> {
        Ok(space::check_snapshot(
            &self.0.connections.path,
            &self.0.snapshots,
        )?)
    }

    fn snapshot(&self, purpose: Purpose, now: OffsetDateTime) -> Result<MadeSnapshot, BackupError> {
        let kind = purpose.into();
        self.0.connections.ensure_writable_mode()?;
        // A copy is harmless, and wanted, of a newer schema too.
        let made = self.0.connections.with_schema(|db| {
            let file = plain_file(db)?;
            snapshot::make(
                db,
                file.as_ref(),
                db.path,
                &self.0.snapshots,
                kind,
                now,
                &self.0.watch,
            )
        })?;
        Ok(made.ok_or_else(|| not_initialised(&self.0.connections.path))?)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(snapshot::all(&self.0.snapshots)?)
    }

    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError> {
        let made = self.0.connections.with_schema(|db| {
            backup::create(
                db,
                db.path,
                &self.0.snapshots,
                target,
                origin,
                &self.0.watch,
            )
        })?;
        made.ok_or_else(|| BackupError::NoDatabase {
            path: self.0.connections.path.to_string(),
        })
    }

    fn verify(&self, source: BackupSource<'_>) -> Result<Backup, BackupError> {
        backup::read(source, &self.0.snapshots, &self.0.watch)
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError> {
        // It shares the connection: a restore closes that, or it would stand in its own way.
        let staged = Staged::of(
            source,
            Arc::clone(&self.0.connections),
            &self.0.snapshots,
            self.0.watch.clone(),
        )?;
        Ok(Box::new(staged))
    }
}
