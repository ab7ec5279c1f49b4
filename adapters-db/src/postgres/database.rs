//! [`PostgresDatabase`]: the ports, method by method.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use domain::{SchemaState, StorageType, Version};
use ports::{
    BackupCopy, CredentialStore, CredentialWithKey, DatabaseTrouble, Dek, Event, History,
    HistoryRow, Migrated, NewCredential, NodeRecord, NodeStart, NodeStore, ServerTrouble,
    StartRecord, StoreError, StoredCredential, TokenCopy,
};
use rusqlite::types::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::catalogue::{Scope, history_table, migrations};
use super::connection::{Access, Connections, Ended, Opened, State};
use super::held::Held;
use super::session::Ask;
use super::target::Target;
use crate::classify::FileContent;
use crate::columns::{has_column, required, text, time as time_column};
use crate::db::Db;
use crate::watch::Watch;
use crate::{credential, credential_list, history, installation, integrity, node, scrub, sealing};

/// So many rows of starts are kept, of all nodes.
const KEPT_STARTS: i64 = 10_000;
/// Other writers wait, readers do not.
const LOCK_SHARED: &str = "LOCK TABLE installation IN SHARE ROW EXCLUSIVE MODE";

/// The database that nodes share, on a PostgreSQL server. Clones share one connection.
#[derive(Clone)]
pub struct PostgresDatabase {
    pub(super) connections: Arc<Connections>,
    /// Where this node keeps what is its own: the lock stands there, and snapshots belong to who
    /// owns that directory.
    pub(super) beside: Utf8PathBuf,
    pub(super) snapshots: Utf8PathBuf,
    pub(super) watch: Watch,
    pub(super) held: Held,
}

impl PostgresDatabase {
    /// The database of the target. `beside` is a path in the node's own directory, where its lock
    /// stands; snapshots go to the directory `snapshots`. Nothing is connected yet.
    #[must_use]
    pub fn new(target: Target, beside: Utf8PathBuf, snapshots: Utf8PathBuf) -> Self {
        Self {
            held: Held::of(target.schema.as_str()),
            connections: Arc::new(Connections::new(target)),
            beside,
            snapshots,
            watch: Watch::default(),
        }
    }

    /// The same; `watch` hears how far a copy or a check is.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    pub(super) fn name(&self) -> Utf8PathBuf {
        self.connections.target.name().into()
    }

    /// Gives `read` one state of the database.
    pub(super) fn read_state<T>(
        &self,
        scope: Scope,
        read: impl Fn(&Db<'_>, FileContent) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.connections.read("reading", |opened| {
            opened.begin(Access::Read, &[])?;
            opened.state(scope, &[], &["COMMIT".into()])
        })?;
        read(
            &Db::new(&self.name(), &state.mirror.connection),
            state.found,
        )
    }

    /// Reads a list from one state of the database, which is empty where there is no schema yet.
    fn read_list<T>(
        &self,
        scope: Scope,
        read: impl Fn(&Db<'_>) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.read_state(scope, |db, found| match found {
            FileContent::Nothing => Ok(Vec::new()),
            FileContent::Schema(_) => read(db),
        })
    }

    /// Lets `act` write in one transaction, and notes the event where it says that it did.
    fn write<T>(
        &self,
        doing: &'static str,
        event: Option<&Event>,
        act: impl Fn(&Db<'_>) -> Result<(T, bool), StoreError>,
    ) -> Result<T, StoreError> {
        let name = self.name();
        let mut is_scrub_due = false;
        let value = self.connections.write(doing, |opened| {
            let state = self.state_to_write(opened)?;
            let db = Db::new(&name, &state.mirror.connection);
            let ((value, is_done), mut asks) = state.mirror.changes(|| act(&db))?;
            if let Some(event) = event.filter(|_| is_done) {
                asks.extend(asks_of(history::of_event(event)?));
            }
            is_scrub_due = scrub::is_due(&db).map_err(db.failed(doing))?;
            Ok((value, asks))
        })?;
        if is_scrub_due {
            self.rebuild(doing)?;
        }
        Ok(value)
    }

    /// The state that a write builds on: nobody changes it until the commit.
    fn state_to_write(&self, opened: &mut Opened) -> Result<State, Ended> {
        let fence: Vec<Ask> = self.held.ask().into_iter().collect();
        let catalogue = opened.begin(Access::Write, &fence)?;
        let first = match catalogue.relations.contains_key("installation") {
            true => vec![Ask::from(LOCK_SHARED)],
            false => Vec::new(),
        };
        let state = opened.state(Scope::Record, &first, &[])?;
        match state.found.ensure_known(&self.name())? {
            FileContent::Nothing => Err(not_initialised(&self.name()).into()),
            FileContent::Schema(_) => Ok(state),
        }
    }

    /// Takes a key that is sealed now, or a copy of the DEK that is forgotten, out of the files of their
    /// tables. What the server has logged of it is out of reach.
    fn rebuild(&self, doing: &'static str) -> Result<(), StoreError> {
        self.connections.read(doing, |opened| {
            opened.run("VACUUM FULL credential, pkcs11_token")
        })
    }

    /// A mirror of every row; `None` where there is no schema yet.
    pub(super) fn mirror_of_all(&self) -> Result<Option<State>, StoreError> {
        let state = self.connections.read("reading", |opened| {
            opened.begin(Access::Read, &[])?;
            opened.state(Scope::All, &[], &["COMMIT".into()])
        })?;
        Ok(match state.found.ensure_known(&self.name())? {
            FileContent::Nothing => None,
            FileContent::Schema(_) => Some(state),
        })
    }
}

/// Notes in the transaction of what was done.
fn asks_of(statements: Vec<history::Statement>) -> Vec<Ask> {
    let asks = statements
        .into_iter()
        .map(|(sql, values)| Ask::new(sql, values));
    asks.collect()
}

impl NodeStore for PostgresDatabase {
    fn read(&self) -> Result<Option<NodeRecord>, StoreError> {
        self.read_state(Scope::Record, |db, found| {
            let record = node::record(db, found)?;
            record
                .map(|record| {
                    Ok(NodeRecord {
                        nodes: nodes(db)?,
                        ..record
                    })
                })
                .transpose()
        })
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        let is_writable = self.connections.read("looking at the rights", |opened| {
            if let Some(catalogue) = &opened.catalogue {
                return Ok(catalogue.is_writable());
            }
            let is_writable = opened.begin(Access::Read, &[])?.is_writable();
            opened.ask(&["COMMIT".into()])?;
            Ok(is_writable)
        })?;
        if is_writable {
            return Ok(());
        }
        let user = self.connections.target.address.user.clone();
        Err(StoreError::NotWritable {
            what: format!(
                "the user {user} may not write to the database {}",
                self.name()
            ),
            trouble: DatabaseTrouble::Server(ServerTrouble::NoRight { user }),
        })
    }

    fn check_integrity(&self) -> Result<(), StoreError> {
        self.read_state(Scope::All, |db, _| integrity::check_all(db))
    }

    fn migrate(&self) -> Result<Migrated, StoreError> {
        // A ready start has seen that in this session already.
        if self.connections.is_current() {
            return Ok(Migrated::Unchanged);
        }
        let migrated = self.connections.write("migrating", |opened| {
            self.migrate_in(opened)
                .map(|migrated| (migrated, Vec::new()))
        });
        migrated.map_err(|error| match error {
            StoreError::Failed {
                path,
                trouble,
                source,
                ..
            } => StoreError::MigrationFailed {
                path,
                trouble,
                source,
            },
            other => other,
        })
    }

    fn configure_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.write("writing the storage configuration", None, |db| {
            Ok((node::configure_storage(db, storage)?, false))
        })
    }

    fn set_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.write("writing the storage configuration", None, |db| {
            Ok((node::set_storage(db, storage)?, false))
        })
    }

    fn save_copy(
        &self,
        copy: &TokenCopy,
        check_value: Option<&[u8]>,
        event: Option<&Event>,
    ) -> Result<(), StoreError> {
        self.write("storing what is known of the token", event, |db| {
            Ok((sealing::save_copy(db, copy, check_value)?, true))
        })
    }

    fn replace_dek(&self, copy: &TokenCopy, check_value: &[u8]) -> Result<(), StoreError> {
        self.write("storing a new DEK", None, |db| {
            Ok((sealing::replace_dek(db, copy, check_value)?, false))
        })
    }

    fn save_backup_copy(&self, copy: &BackupCopy, event: &Event) -> Result<(), StoreError> {
        let doing = "storing the DEK under the backup password";
        self.write(doing, Some(event), |db| {
            Ok((sealing::save_backup_copy(db, copy)?, true))
        })
    }

    fn forget_copy(&self, serial: &str, event: &Event) -> Result<bool, StoreError> {
        let doing = "removing what is known of the token";
        self.write(doing, Some(event), |db| {
            let was_known = sealing::forget_copy(db, serial)?;
            if was_known {
                scrub::mark(db).map_err(db.failed(doing))?;
            }
            Ok((was_known, was_known))
        })
    }

    fn scrub(&self) -> Result<(), StoreError> {
        self.rebuild("rebuilding the tables without what was removed")
    }

    fn mark_setup_completed(&self, event: &Event) -> Result<bool, StoreError> {
        self.write("writing the setup mark", Some(event), |db| {
            let is_new = installation::mark_setup_completed(db, event.at)?;
            Ok((is_new, is_new))
        })
    }

    fn clear_setup_mark(&self, event: &Event) -> Result<bool, StoreError> {
        self.write("writing the setup mark", Some(event), |db| {
            let was_set = installation::clear_setup_mark(db)?;
            Ok((was_set, was_set))
        })
    }
}

impl PostgresDatabase {
    /// Applies what is pending in the transaction that this begins. Whoever comes second waits for
    /// the first, and then finds nothing left to do.
    fn migrate_in(&self, opened: &mut Opened) -> Result<Migrated, Ended> {
        let mut locks = vec![self.held.creation()];
        locks.extend(self.held.ask());
        let catalogue = opened.begin(Access::Write, &locks)?.clone();
        let target = &self.connections.target;
        let applied = match catalogue.ask_applied(target)? {
            Some(ask) => opened.ask(&[ask])?.pop().unwrap_or_default(),
            None => Vec::new(),
        };
        let mut text = String::new();
        if catalogue.relations.is_empty() {
            if !catalogue.has_schema {
                text = format!(
                    "CREATE SCHEMA {};
",
                    target.schema.as_str()
                );
            }
            text.push_str(&history_table());
        } else {
            let found = catalogue.identify(target, &applied)?;
            if found.ensure_known(&self.name())? == FileContent::Schema(SchemaState::Current) {
                return Ok(Migrated::Unchanged);
            }
        }
        let now = OffsetDateTime::now_utc()
            .format(&Rfc3339)
            .unwrap_or_default();
        let (sql, names) = migrations(applied.len(), usize::MAX, |_| now.clone())?;
        text.push_str(&sql);
        opened.run(&text)?;
        opened.catalogue = None;
        opened.found = None;
        Ok(Migrated::Applied(names))
    }
}

/// The newest start of each node, which is what the mirror of a record has of the history.
fn nodes(db: &Db<'_>) -> Result<Vec<NodeStart>, StoreError> {
    let read = || -> rusqlite::Result<Vec<NodeStart>> {
        if !has_column(db, "startup_history", "node")? {
            return Ok(Vec::new());
        }
        db.prepare(
            "SELECT node, version, last_at FROM startup_history WHERE node IS NOT NULL ORDER BY node",
        )?
        .query_map([], |row| {
            Ok(NodeStart {
                node: required(0, text(row, 0)?)?,
                version: text(row, 1)?.unwrap_or_default(),
                at: required(2, time_column(row, 2)?)?,
            })
        })?
        .collect()
    };
    read().map_err(db.failed("reading the history"))
}

/// A write before the first migration.
pub(super) fn not_initialised(path: &Utf8Path) -> StoreError {
    crate::connections::not_initialised(path)
}

impl CredentialStore for PostgresDatabase {
    fn list(&self) -> Result<Vec<StoredCredential>, StoreError> {
        self.read_list(Scope::Record, credential_list::list)
    }

    fn find(&self, fingerprint: &str) -> Result<Option<CredentialWithKey>, StoreError> {
        self.read_state(Scope::Record, |db, found| match found {
            FileContent::Nothing => Ok(None),
            FileContent::Schema(_) => credential::find(db, fingerprint),
        })
    }

    fn save_active(
        &self,
        credential: &NewCredential<'_>,
        dek: Option<&Dek>,
        event: &Event,
    ) -> Result<(), StoreError> {
        self.write("saving the TLS credential", Some(event), |db| {
            let before = db.total_changes();
            credential::save_active(db, credential, dek, event.at)?;
            Ok(((), db.total_changes() > before))
        })
    }

    fn seal_all(&self, dek: &Dek) -> Result<usize, StoreError> {
        self.write("sealing the private keys", None, |db| {
            Ok((credential::seal_all(db, dek)?, false))
        })
    }
}

impl History for PostgresDatabase {
    fn record_start(&self, start: &StartRecord) -> Result<(), StoreError> {
        let statements = history::of_start(start, KEPT_STARTS)?;
        self.connections.write("recording the start", |opened| {
            let (found, recorded) = self.begin_noting(opened)?;
            if found != FileContent::Schema(SchemaState::Current) {
                found.ensure_known(&self.name())?;
                return Err(not_initialised(&self.name()).into());
            }
            self.ensure_not_newer(recorded.as_deref(), &start.version)?;
            Ok(((), asks_of(statements.clone())))
        })
    }

    fn note(&self, event: &Event) -> Result<bool, StoreError> {
        let statements = history::of_event(event)?;
        self.connections
            .write("noting it in the history", |opened| {
                let (found, _) = self.begin_noting(opened)?;
                let is_current = found == FileContent::Schema(SchemaState::Current);
                let statements = if is_current {
                    statements.clone()
                } else {
                    Vec::new()
                };
                Ok((is_current, asks_of(statements)))
            })
    }

    fn rows(&self, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        self.read_list(Scope::All, |db| history::read(db, limit))
    }
}

impl PostgresDatabase {
    /// Begins a transaction for what needs no look at the rows: nodes write their history side by
    /// side. Tells what stands there, and the version that is recorded, which stays so until the end.
    fn begin_noting(&self, opened: &mut Opened) -> Result<(FileContent, Option<String>), Ended> {
        let mut asks = Vec::new();
        let catalogue = match opened.catalogue.clone() {
            Some(catalogue) => {
                asks.push(Access::Write.begin());
                catalogue
            }
            None => opened.begin(Access::Write, &[])?.clone(),
        };
        let target = &self.connections.target;
        let Some(applied) = catalogue.ask_applied(target)? else {
            return Ok((FileContent::Nothing, None));
        };
        asks.push(applied);
        asks.push("SELECT version FROM app_version WHERE id = 1 FOR UPDATE".into());
        let mut answers = opened.ask(&asks)?;
        let recorded = answers.pop().into_iter().flatten().flatten().next();
        let applied = answers.pop().unwrap_or_default();
        let recorded = match recorded {
            Some(Value::Text(recorded)) => Some(recorded),
            _ => None,
        };
        Ok((catalogue.identify(target, &applied)?, recorded))
    }

    /// A node of a newer version may have come in between: its record is not put back.
    fn ensure_not_newer(&self, recorded: Option<&str>, own: &str) -> Result<(), StoreError> {
        let parsed = |text: &str| text.parse::<Version>().ok();
        match recorded.and_then(parsed).zip(parsed(own)) {
            Some((recorded, own)) if own.precedence(&recorded).is_lt() => {
                Err(StoreError::TakenOver {
                    path: self.name().into_string(),
                    version: recorded.to_string(),
                })
            }
            _ => Ok(()),
        }
    }
}
