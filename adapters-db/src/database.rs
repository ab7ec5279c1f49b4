//! [`SqliteDatabase`]: the port, method by method.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use domain::{SchemaState, StorageType};
use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, Credentials, Database, DatabaseState,
    Dek, Fault, HistoryRow, MadeSnapshot, Migrated, Snapshot, StartRecord, StoredCredential,
    TlsCredential, TokenRecord,
};
use refinery::Runner;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use time::OffsetDateTime;

use crate::classify::{Found, identify};
use crate::connections::{Connections, Mode, not_initialised};
use crate::duplicate::Source;
use crate::snapshot_files::Kind;
use crate::sql_error::fault;
use crate::{
    credential, credential_list, draft, history, integrity, migrate, node, schema, snapshot, token,
};

/// The node's database in one SQLite file. Clones share one connection.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    connections: Arc<Connections>,
    snapshots: Utf8PathBuf,
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
        }
    }

    /// The database at `path`, of which not a byte is changed or created, even where a dead
    /// writer left a journal. A missing directory is
    /// [`ports::FaultKind::DatabaseUnavailable`], see [`SqliteDatabase::parents_may_be_missing`].
    #[must_use]
    pub fn read_only(path: Utf8PathBuf, snapshots: Utf8PathBuf) -> Self {
        Self {
            connections: Arc::new(Connections::new(path, Mode::ReadOnly, false)),
            snapshots,
        }
    }

    /// Whether a missing directory means "not initialised", as for a start that may make it.
    #[must_use]
    pub fn parents_may_be_missing(mut self, allowed: bool) -> Self {
        self.connections = Arc::new(self.connections.allowing_parents(allowed));
        self
    }

    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    pub(crate) fn snapshot_directory(&self) -> &Utf8Path {
        &self.snapshots
    }

    #[cfg(test)]
    pub(crate) fn connections_mut(&mut self) -> &mut Connections {
        Arc::get_mut(&mut self.connections).unwrap()
    }

    /// [`Database::migrate`] with other migrations than the embedded ones.
    pub(crate) fn migrate_with(&self, runner: &Runner) -> Result<Migrated, Fault> {
        // Of a restore that was killed.
        draft::remove_leftovers_beside(self.connections.path())?;
        self.connections
            .create(|connection| migrate::migrate(self.connections.path(), connection, runner))
    }

    /// Reads from one state of a database that has a schema; `None` from one that has none yet.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let runner = schema::runner()?;
        let found = self.connections.read(|connection| {
            let state = one_state(self.connections.path(), connection)?;
            match identify(self.connections.path(), &state, &runner)? {
                Found::Nothing => Ok(None),
                Found::Schema(_) => read(&state).map(Some),
            }
        })?;
        Ok(found.flatten())
    }

    /// Writes to a database whose schema is known. Each function makes its own transaction.
    fn write<T>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with_schema(|connection, state| match state {
            SchemaState::Current | SchemaState::Behind => write(connection),
            SchemaState::Newer | SchemaState::Diverged => {
                Err(migrate::refused(self.connections.path(), state))
            }
        })
    }

    fn with_schema<T>(
        &self,
        act: impl FnOnce(&mut Connection, SchemaState) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let runner = schema::runner()?;
        self.connections.write(|connection| {
            let path = self.connections.path();
            let found = identify(path, &*one_state(path, connection)?, &runner)?;
            match found {
                Found::Nothing => Err(not_initialised(path)),
                Found::Schema(state) => act(connection, state),
            }
        })
    }
}

/// What is read until the end of it is one state of the database, locked and looked at once.
fn one_state<'a>(path: &Utf8Path, connection: &'a Connection) -> Result<Transaction<'a>, Fault> {
    Transaction::new_unchecked(connection, TransactionBehavior::Deferred)
        .map_err(|error| fault(path, "reading", error))
}

impl Database for SqliteDatabase {
    fn observe(&self) -> Result<DatabaseState, Fault> {
        let runner = schema::runner()?;
        let state = self
            .connections
            .read(|connection| node::observe(self.connections.path(), connection, &runner))?;
        Ok(state.unwrap_or(DatabaseState::NotInitialised))
    }

    fn check_writable(&self) -> Result<(), Fault> {
        self.connections.check_writable()
    }

    fn check_snapshot(&self) -> Result<(), Fault> {
        self.connections.check_snapshot(&self.snapshots)
    }

    fn check_integrity(&self) -> Result<(), Fault> {
        self.read(|connection| integrity::check_all(self.connections.path(), connection))
            .map(drop)
    }

    fn migrate(&self) -> Result<Migrated, Fault> {
        self.migrate_with(&schema::runner()?)
    }

    fn snapshot(&self, now: OffsetDateTime) -> Result<Option<MadeSnapshot>, Fault> {
        // A copy is harmless, and wanted, of a newer schema too.
        self.with_schema(|connection, _| {
            let source = Source::of(self.connections.path(), connection)?;
            snapshot::make(&source, &self.snapshots, Kind::Upgrade, now)
        })
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, Fault> {
        snapshot::all(&self.snapshots)
    }

    fn configure_storage(&self, storage: StorageType) -> Result<bool, Fault> {
        self.write(|connection| {
            node::configure_storage(self.connections.path(), connection, storage)
        })
    }

    fn change_storage(&self, storage: StorageType) -> Result<(), Fault> {
        self.write(|connection| node::change_storage(self.connections.path(), connection, storage))
    }

    fn save_token(&self, token: &TokenRecord) -> Result<(), Fault> {
        self.write(|connection| token::save(self.connections.path(), connection, token))
    }

    fn active_credential(&self, dek: Option<&Dek>) -> Result<Option<ActiveCredential>, Fault> {
        let active =
            self.read(|connection| credential::active(self.connections.path(), connection, dek))?;
        Ok(active.flatten())
    }

    fn save_active_credential(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        self.save_active(credential, facts, CredentialOrigin::Generated, dek, now)
    }

    fn seal_credentials(&self, dek: &Dek) -> Result<usize, Fault> {
        self.write(|connection| credential::seal_all(self.connections.path(), connection, dek))
    }

    fn mark_setup_completed(&self, now: OffsetDateTime) -> Result<bool, Fault> {
        self.write(|connection| {
            node::mark_setup_completed(self.connections.path(), connection, now)
        })
    }

    fn clear_setup_mark(&self) -> Result<bool, Fault> {
        self.write(|connection| node::clear_setup_mark(self.connections.path(), connection))
    }

    fn record_start(&self, start: &StartRecord) -> Result<(), Fault> {
        self.write(|connection| history::record(self.connections.path(), connection, start))
    }

    fn history(&self, limit: usize) -> Result<Vec<HistoryRow>, Fault> {
        let rows =
            self.read(|connection| history::read(self.connections.path(), connection, limit))?;
        Ok(rows.unwrap_or_default())
    }
}

impl Credentials for SqliteDatabase {
    fn list(&self) -> Result<Vec<StoredCredential>, Fault> {
        let list =
            self.read(|connection| credential_list::list(self.connections.path(), connection))?;
        Ok(list.unwrap_or_default())
    }

    fn find(
        &self,
        fingerprint: &str,
        dek: Option<&Dek>,
    ) -> Result<Option<ActiveCredential>, Fault> {
        let found = self.read(|connection| {
            credential::by_fingerprint(self.connections.path(), connection, fingerprint, dek)
        })?;
        Ok(found.flatten())
    }

    fn save_active(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        origin: CredentialOrigin,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        self.write(|connection| {
            let path = self.connections.path();
            credential::save_active(path, connection, credential, facts, origin, dek, now)
        })
    }
}
