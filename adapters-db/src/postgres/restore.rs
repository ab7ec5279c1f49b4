//! A restore: a checked copy in a file, what it replaces kept, one transaction.

use domain::SchemaState;
use ports::{Backup, BackupError, BackupSource, FaultKind, StagedBackup, StoreError};
use time::OffsetDateTime;

use super::catalogue::{Scope, history_table, migrations};
use super::connection::{Access, Ended, Opened, State};
use super::database::PostgresDatabase;
use super::mirror::{Mirror, all_rows};
use super::session::Ask;
use crate::backup::taken_in;
use crate::classify::FileContent;
use crate::contents::{Rows, is_same};
use crate::db::Db;
use crate::directory::nearest_directory;
use crate::draft::Draft;
use crate::schema::HISTORY_TABLE;
use crate::snapshot_files::Kind;
use crate::{node, snapshot};

/// So many rows go out at once.
const AT_ONCE: usize = 200;
/// The tables in which the server gives the ids.
const NUMBERED: [&str; 2] = ["event", "startup_history"];

/// A backup that is ready to take the place of what stands in the schema.
pub(super) struct Staged {
    backup: Backup,
    draft: Draft,
    database: PostgresDatabase,
    held: Option<Opened>,
}

impl Staged {
    pub(super) fn of(
        source: BackupSource<'_>,
        database: PostgresDatabase,
    ) -> Result<Self, BackupError> {
        let place = nearest_directory(&database.snapshots);
        let (backup, draft) = taken_in(source, place, &database.watch)?;
        Ok(Self {
            backup,
            draft,
            database,
            held: None,
        })
    }

    fn failed(&self, ended: Ended) -> StoreError {
        match ended {
            Ended::Failed(error) => error,
            Ended::Cut(failure) => failure.on(&self.database.connections.target, "restoring"),
        }
    }

    /// The present state, which nobody else can change until the end of the transaction.
    fn hold(&self, opened: &mut Opened) -> Result<State, Ended> {
        let mut locks = vec![self.database.held.creation()];
        locks.extend(self.database.held.ask());
        let catalogue = opened.begin(Access::Write, &locks)?;
        let names: Vec<_> = catalogue
            .relations
            .keys()
            .map(|name| format!("\"{name}\""))
            .collect();
        let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "));
        let first: Vec<Ask> = match names.is_empty() {
            true => Vec::new(),
            false => vec![Ask::from(lock.as_str())],
        };
        opened.state(Scope::All, &first, &[])
    }

    /// What was set up makes way for a backup of itself alone: other nodes go on with it.
    fn ensure_same(&self, present: &Db<'_>, found: FileContent) -> Result<(), BackupError> {
        let record = node::record(present, found)?;
        let record = record.filter(|record| record.setup_completed_at.is_some());
        let ids = record.and_then(|record| record.installation);
        match ids.zip(self.backup.record.installation.as_ref()) {
            Some((present_id, own)) if present_id != *own => Err(BackupError::OtherInstallation {
                database: present.path.to_string(),
                present: present_id.to_string(),
                own: own.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Takes the tables away that are there, makes those of the backup, and puts its rows into them.
    fn replace(&self, opened: &Opened, is_schema_there: bool) -> Result<Vec<Ask>, Ended> {
        let from = self.draft.read()?;
        let name = self.database.name();
        let reading = Db::new(&name, &from).failed("reading the backup");
        let select = format!("SELECT applied_on FROM {HISTORY_TABLE} ORDER BY version");
        let mut select = from.prepare(&select).map_err(&reading)?;
        let applied_on = select
            .query_map([], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>)
            .map_err(&reading)?;
        let relations = opened
            .catalogue
            .iter()
            .flat_map(|catalogue| catalogue.relations.keys());
        let old: Vec<_> = relations.map(|name| format!("\"{name}\"")).collect();
        let mut text = String::new();
        if !old.is_empty() {
            text = format!("DROP TABLE {};\n", old.join(", "));
        }
        if !is_schema_there {
            text.push_str(&format!(
                "CREATE SCHEMA {};\n",
                self.database.connections.target.schema.as_str()
            ));
        }
        text.push_str(&history_table());
        let when = |number: usize| applied_on.get(number).cloned().unwrap_or_default();
        let (sql, _) = migrations(0, applied_on.len(), when)?;
        text.push_str(&sql);
        // What the migrations make themselves is another installation.
        text.push_str("DELETE FROM installation;");
        opened.run(&text)?;
        let made = Mirror::of(applied_on.len())?;
        let mut asks = all_rows(&from, &made).map_err(reading)?;
        for table in NUMBERED.into_iter().filter(|table| made.has(table)) {
            asks.push(Ask::from(
                format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} \
                     HAVING max(id) IS NOT NULL"
                )
                .as_str(),
            ));
        }
        let last = asks.split_off(asks.len().saturating_sub(AT_ONCE));
        for some in asks.chunks(AT_ONCE) {
            opened.ask(some)?;
        }
        Ok(last)
    }
}

impl StagedBackup for Staged {
    fn backup(&self) -> &Backup {
        &self.backup
    }

    fn is_in_place(&self) -> Result<bool, BackupError> {
        let is_known = |found| {
            let known = [SchemaState::Current, SchemaState::Behind];
            matches!(found, FileContent::Schema(state) if known.contains(&state))
        };
        let is_same = self.database.read_state(Scope::All, |db, found| {
            let own = self.draft.read()?;
            // The backup was found whole: where this fails, they are not the same.
            Ok(is_known(found) && is_same(db, &own, Rows::ButRestores).unwrap_or(false))
        });
        match is_same {
            Err(error) if error.kind() == FaultKind::DataCorrupt => Ok(false),
            is_same => Ok(is_same?),
        }
    }

    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, BackupError> {
        let mut opened = self.database.connections.take("restoring")?;
        let state = self.hold(&mut opened).map_err(|ended| self.failed(ended))?;
        let name = self.database.name();
        let db = Db::new(&name, &state.mirror.connection);
        let kept = match state.found.ensure_known(&name)? {
            FileContent::Nothing => None,
            FileContent::Schema(_) => {
                self.ensure_same(&db, state.found)?;
                let PostgresDatabase {
                    beside,
                    snapshots,
                    watch,
                    ..
                } = &self.database;
                let kind = Kind::Replaced;
                let made = snapshot::make(&db, None, beside, snapshots, kind, now, watch)?;
                Some(made.snapshot.path)
            }
        };
        self.held = Some(opened);
        Ok(kept)
    }

    fn put_in_place(mut self: Box<Self>) -> Result<(), BackupError> {
        let Some(opened) = self.held.take() else {
            let what = "a backup is put in place of what was not kept";
            return Err(crate::sql_error::defect(what, None).into());
        };
        let has_schema = opened
            .catalogue
            .as_ref()
            .is_some_and(|catalogue| catalogue.has_schema);
        let asks = self
            .replace(&opened, has_schema)
            .map_err(|ended| self.failed(ended))?;
        let Some(opened) = opened.commit(&asks)? else {
            let cut = Ended::Cut(super::error::Failure::Silent);
            return Err(self.failed(cut).into());
        };
        self.database.connections.keep(opened.forgetting());
        Ok(())
    }
}
