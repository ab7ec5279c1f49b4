//! [`SqliteDatabase`]: the ports, method by method.

use std::sync::Arc;

use camino::Utf8PathBuf;
use domain::{SchemaState, StorageType};
use ports::{
    Backup, BackupCopy, BackupError, BackupManifest, BackupOrigin, BackupSource, BackupTarget,
    Backups, CredentialStore, CredentialWithKey, Dek, Event, History, HistoryRow, MadeSnapshot,
    Migrated, NewCredential, NodeRecord, NodeStore, Purpose, Snapshot, StagedBackup, StartRecord,
    StoreError, StoredCredential, TokenCopy,
};
use refinery::Runner;
use time::OffsetDateTime;

use crate::backup::{self, Staged};
use crate::classify::FileContent;
use crate::connections::{Connections, Mode, not_initialised};
use crate::db::Db;
use crate::live_copy::plain_file;
use crate::path_state::{PathState, is_journal_hot};
use crate::snapshot_files::Kind;
use crate::watch::Watch;
use crate::{
    credential, credential_list, draft, history, installation, integrity, migrate, node, schema,
    scrub, sealing, snapshot, space,
};

/// The node's database in one SQLite file. Clones share one connection.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    connections: Arc<Connections>,
    snapshots: Utf8PathBuf,
    watch: Watch,
}

impl SqliteDatabase {
    /// The database at `path`, to be read and written by a start that holds the start lock;
    /// snapshots go to the directory `snapshots`.
    ///
    /// With `create_parents` a directory that is missing is made by the first migration, and until
    /// then means "not initialised". Without, it is
    /// [`ports::FaultKind::DatabaseUnavailable`]: a volume was probably not mounted.
    #[must_use]
    pub fn new(path: Utf8PathBuf, snapshots: Utf8PathBuf, create_parents: bool) -> Self {
        Self {
            connections: Arc::new(Connections::new(path, Mode::ReadWrite, create_parents)),
            snapshots,
            watch: Watch::default(),
        }
    }

    /// The database at `path`, of which not a byte is changed or created, even where a dead
    /// writer left a journal. A missing directory means "not initialised" where a start may make
    /// it (`create_parents`).
    #[must_use]
    pub fn read_only(path: Utf8PathBuf, snapshots: Utf8PathBuf, create_parents: bool) -> Self {
        Self {
            connections: Arc::new(Connections::new(path, Mode::ReadOnly, create_parents)),
            snapshots,
            watch: Watch::default(),
        }
    }

    /// The same; `watch` hears how far a copy or a check is.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    #[cfg(test)]
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    #[cfg(test)]
    pub(crate) fn connections_mut(&mut self) -> &mut Connections {
        Arc::get_mut(&mut self.connections).unwrap()
    }

    /// [`NodeStore::migrate`] with other migrations than the embedded ones.
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

    /// Reads a list from one state of the database, which is empty where there is no schema yet.
    fn read_list<T>(
        &self,
        read: impl FnOnce(&Db<'_>) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let list = self.connections.read(|db, found| match found {
            FileContent::Nothing => Ok(Vec::new()),
            FileContent::Schema(_) => read(db),
        })?;
        Ok(list.unwrap_or_default())
    }
}

/// Notes the event in the transaction of what was done, where anything was.
fn noted_where(is_done: bool, db: &Db<'_>, event: &Event) -> Result<bool, StoreError> {
    if is_done {
        history::note(db, event)?;
    }
    Ok(is_done)
}

impl NodeStore for SqliteDatabase {
    fn read(&self) -> Result<Option<NodeRecord>, StoreError> {
        let record = self.connections.read(|db, found| {
            integrity::check(db)?;
            node::record(db, found)
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
        match self.connections.read(|_, found| Ok(found))? {
            Some(FileContent::Schema(SchemaState::Current)) => Ok(Migrated::Unchanged),
            _ => self.migrate_with(&schema::runner()?),
        }
    }

    fn configure_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.connections
            .write("writing the storage configuration", |db| {
                node::configure_storage(db, storage)
            })
    }

    fn set_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.connections
            .write("writing the storage configuration", |db| {
                node::set_storage(db, storage)
            })
    }

    fn save_copy(
        &self,
        copy: &TokenCopy,
        check_value: Option<&[u8]>,
        event: Option<&Event>,
    ) -> Result<(), StoreError> {
        let doing = "storing what is known of the token";
        self.connections.write(doing, |db| {
            sealing::save_copy(db, copy, check_value)?;
            event.map_or(Ok(()), |event| history::note(db, event))
        })
    }

    fn replace_dek(&self, copy: &TokenCopy, check_value: &[u8]) -> Result<(), StoreError> {
        self.connections.write("storing a new DEK", |db| {
            sealing::replace_dek(db, copy, check_value)
        })
    }

    fn save_backup_copy(&self, copy: &BackupCopy, event: &Event) -> Result<(), StoreError> {
        let doing = "storing the DEK under the backup password";
        self.connections.write(doing, |db| {
            sealing::save_backup_copy(db, copy)?;
            history::note(db, event)
        })
    }

    fn forget_copy(&self, serial: &str, event: &Event) -> Result<bool, StoreError> {
        let doing = "removing what is known of the token";
        self.connections.write(doing, |db| {
            let was_known = sealing::forget_copy(db, serial)?;
            if was_known {
                scrub::mark(db).map_err(db.failed(doing))?;
            }
            noted_where(was_known, db, event)
        })
    }

    fn scrub(&self) -> Result<(), StoreError> {
        self.connections.scrub()
    }

    fn mark_setup_completed(&self, event: &Event) -> Result<bool, StoreError> {
        self.connections.write("writing the setup mark", |db| {
            let is_new = installation::mark_setup_completed(db, event.at)?;
            noted_where(is_new, db, event)
        })
    }

    fn clear_setup_mark(&self, event: &Event) -> Result<bool, StoreError> {
        self.connections.write("writing the setup mark", |db| {
            let was_set = installation::clear_setup_mark(db)?;
            noted_where(was_set, db, event)
        })
    }
}

impl CredentialStore for SqliteDatabase {
    fn list(&self) -> Result<Vec<StoredCredential>, StoreError> {
        self.read_list(credential_list::list)
    }

    fn find(&self, fingerprint: &str) -> Result<Option<CredentialWithKey>, StoreError> {
        let found = self.connections.read(|db, found| match found {
            FileContent::Nothing => Ok(None),
            FileContent::Schema(_) => credential::find(db, fingerprint),
        })?;
        Ok(found.flatten())
    }

    fn save_active(
        &self,
        credential: &NewCredential<'_>,
        dek: Option<&Dek>,
        event: &Event,
    ) -> Result<(), StoreError> {
        self.connections
            .write_and_scrub("saving the TLS credential", |db| {
                let before = db.total_changes();
                credential::save_active(db, credential, dek, event.at)?;
                noted_where(db.total_changes() > before, db, event).map(drop)
            })
    }

    fn seal_all(&self, dek: &Dek) -> Result<usize, StoreError> {
        self.connections
            .write_and_scrub("sealing the private keys", |db| {
                credential::seal_all(db, dek)
            })
    }
}

impl History for SqliteDatabase {
    fn record_start(&self, start: &StartRecord) -> Result<(), StoreError> {
        self.connections
            .write("recording the start", |db| history::record(db, start))
    }

    fn note(&self, event: &Event) -> Result<bool, StoreError> {
        // Asked first: a read by who may write recovers it.
        if self.is_to_recover()? {
            return Ok(false);
        }
        match self.connections.read(|_, found| Ok(found))? {
            Some(FileContent::Schema(SchemaState::Current)) => self
                .connections
                .write("noting it in the history", |db| history::note(db, event))
                .map(|()| true),
            _ => Ok(false),
        }
    }

    fn rows(&self, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        self.read_list(|db| history::read(db, limit))
    }
}

impl Backups for SqliteDatabase {
    fn check_snapshot(&self) -> Result<(), BackupError> {
        Ok(space::check_snapshot(
            &self.connections.path,
            &self.snapshots,
        )?)
    }

    fn snapshot(&self, purpose: Purpose, now: OffsetDateTime) -> Result<MadeSnapshot, BackupError> {
        let kind = match purpose {
            Purpose::BeforeUpgrade => Kind::Upgrade,
            Purpose::KeepsKey => Kind::Replaced,
        };
        self.connections.ensure_writable_mode()?;
        // A copy is harmless, and wanted, of a newer schema too.
        let made = self.connections.with_schema(|db| {
            let file = plain_file(db)?;
            snapshot::make(
                db,
                file.as_ref(),
                db.path,
                &self.snapshots,
                kind,
                now,
                &self.watch,
            )
        })?;
        Ok(made.ok_or_else(|| not_initialised(&self.connections.path))?)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(snapshot::all(&self.snapshots)?)
    }

    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError> {
        let made = self.connections.with_schema(|db| {
            backup::create(db, db.path, &self.snapshots, target, origin, &self.watch)
        })?;
        made.ok_or_else(|| BackupError::NoDatabase {
            path: self.connections.path.to_string(),
        })
    }

    fn verify(&self, source: BackupSource<'_>) -> Result<Backup, BackupError> {
        backup::read(source, &self.snapshots, &self.watch)
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError> {
        // It shares the connection: a restore closes that, or it would stand in its own way.
        let staged = Staged::of(
            source,
            Arc::clone(&self.connections),
            &self.snapshots,
            self.watch.clone(),
        )?;
        Ok(Box::new(staged))
    }
}
