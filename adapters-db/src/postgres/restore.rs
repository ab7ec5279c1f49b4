//! A restore: a checked copy in a file, what it replaces kept, one transaction.

use domain::InstallationId;
use ports::{Backup, BackupError, BackupSource, FaultKind, StagedBackup, StoreError};
use rusqlite::Connection;
use rusqlite::types::Value;
use time::OffsetDateTime;

use super::connection::{Opened, Patience};
use super::copy::copy_of;
use super::migrate::{empty_schema, locks, migrations};
use super::server::Server;
use super::session::Ask;
use super::transaction::{Access, Transaction};
use super::twin::{Columns, Twin, listed};
use crate::content::Content;
use crate::defect::defect;
use crate::node;
use crate::schema::HISTORY_TABLE;
use crate::sqlite::backup::taken_in;
use crate::sqlite::contents::{Rows, is_same};
use crate::sqlite::db::Db;
use crate::sqlite::directory::nearest_directory;
use crate::sqlite::draft::Draft;
use crate::sqlite::snapshot_files::Kind;

const DOING: &str = "restoring";
/// So many rows go out at once.
const AT_ONCE: usize = 200;

/// A backup that is ready to take the place of what stands in the schema.
pub(super) struct Staged {
    backup: Backup,
    draft: Draft,
    server: Server,
    /// A connection in the transaction in which nobody else changes what is there now.
    held: Option<Opened>,
}

impl Staged {
    pub(super) fn of(source: BackupSource<'_>, server: Server) -> Result<Self, BackupError> {
        let place = nearest_directory(&server.snapshots);
        let (backup, draft) = taken_in(source, place, &server.watch)?;
        Ok(Self {
            backup,
            draft,
            server,
            held: None,
        })
    }

    /// The present state, which nobody else can change until the end of the transaction.
    fn hold(&self, opened: &Opened) -> Result<Option<Twin>, StoreError> {
        let locks = locks(&self.server);
        let mut transaction = Transaction::begin(opened, Access::Write, &locks)?;
        let names = quoted(&transaction);
        let lock = format!("LOCK TABLE {names} IN EXCLUSIVE MODE");
        let first = [Ask::from(lock.as_str())];
        let content = transaction.identify(if names.is_empty() { &[] } else { &first })?;
        copy_of(&transaction, content)
    }

    /// What was set up makes way for a backup of itself alone: other nodes go on with it.
    fn ensure_same(&self, present: &Twin) -> Result<(), BackupError> {
        let name = self.server.name();
        let db = Db::new(&name, &present.connection);
        // Which of the known schemata it is makes no difference to the id.
        let current = Content::Schema(domain::SchemaState::Current);
        let record = node::record(&db.tables(), current)?;
        // Of one whose setup was begun again the mark alone is gone.
        let set_up =
            record.filter(|record| record.setup_completed_at.is_some() || record.sealing.has_dek());
        let present: Option<InstallationId> = set_up.and_then(|record| record.installation);
        match present.zip(self.backup.record.installation.as_ref()) {
            Some((present, own)) if present != *own => Err(BackupError::OtherInstallation {
                database: name.to_string(),
                present: present.to_string(),
                own: own.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Takes the tables away that are there, makes those of the backup, and puts its rows into them.
    fn replace(&self, opened: &Opened) -> Result<Vec<Ask>, StoreError> {
        let from = self.draft.read()?;
        let name = self.server.name();
        let reading = Db::new(&name, &from).failed("reading the backup");
        let applied_on = applied_on(&from).map_err(&reading)?;
        let seen = opened.seen.borrow().clone();
        let old: Vec<String> = seen
            .iter()
            .flat_map(|seen| seen.names())
            .map(quote)
            .collect();
        let mut text = String::new();
        // Whoever reads begins with the history of the migrations: nobody waits behind this door who
        // has read already from what is dropped, and would have to be waited for.
        if old.contains(&quote(HISTORY_TABLE)) {
            text.push_str(&format!(
                "LOCK TABLE {HISTORY_TABLE} IN ACCESS EXCLUSIVE MODE;\n"
            ));
        }
        if !old.is_empty() {
            text.push_str(&format!("DROP TABLE {};\n", old.join(", ")));
        }
        let is_schema_there = seen.is_some_and(|seen| seen.has_schema);
        text.push_str(&empty_schema(&opened.target, is_schema_there));
        let when = |number: usize| applied_on.get(number).cloned().unwrap_or_default();
        let (sql, _) = migrations(0, applied_on.len(), when)?;
        text.push_str(&sql);
        let made = Twin::of(applied_on.len())?;
        // What the migrations put in themselves is another installation.
        for (table, _) in made.own_tables() {
            text.push_str(&format!("DELETE FROM {table};\n"));
        }
        opened.run(&text)?;
        let mut asks = Vec::new();
        for (table, columns) in made.own_tables() {
            for row in rows_of(&from, table, columns).map_err(&reading)? {
                asks.push(insert(table, columns, row));
                if asks.len() == AT_ONCE {
                    opened.ask(&std::mem::take(&mut asks))?;
                }
            }
            asks.push(Ask::from(next_number(table).as_str()));
        }
        Ok(asks)
    }
}

impl StagedBackup for Staged {
    fn backup(&self) -> &Backup {
        &self.backup
    }

    fn is_in_place(&self) -> Result<bool, BackupError> {
        let present = match self.server.copy() {
            Err(error) if error.kind() == FaultKind::DataCorrupt => return Ok(false),
            Err(StoreError::SchemaUnknown { .. }) => return Ok(false),
            present => present?,
        };
        let Some(present) = present else {
            return Ok(false);
        };
        let own = self.draft.read()?;
        // The backup was found whole: where this fails, they are not the same.
        Ok(is_same(&present.connection, &own, Rows::ButRestores).unwrap_or(false))
    }

    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, BackupError> {
        let opened = self
            .server
            .connections
            .take(DOING, &Patience::of(&self.server.connections.target))?;
        let kept = match self.hold(&opened)? {
            None => None,
            Some(present) => {
                self.ensure_same(&present)?;
                let kind = Kind::Replaced;
                let made = self.server.snapshot_of(&present, kind, now)?;
                Some(made.snapshot.path)
            }
        };
        self.held = Some(opened);
        Ok(kept)
    }

    fn put_in_place(mut self: Box<Self>) -> Result<(), BackupError> {
        let Some(opened) = self.held.take() else {
            return Err(defect("a backup is put in place of what was not kept", None).into());
        };
        let asks = self.replace(&opened)?;
        let Some(opened) = opened.commit(asks)? else {
            let cut = super::error::Failure::Cut;
            return Err(cut.on(&self.server.connections.target, DOING).into());
        };
        opened.forget();
        self.server.connections.keep(opened);
        Ok(())
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted(transaction: &Transaction<'_>) -> String {
    let names: Vec<String> = transaction.catalogue.names().map(quote).collect();
    names.join(", ")
}

fn applied_on(from: &Connection) -> rusqlite::Result<Vec<String>> {
    let select = format!("SELECT applied_on FROM {HISTORY_TABLE} ORDER BY version");
    let mut select = from.prepare(&select)?;
    let rows = select.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// The rows of a table, read one after the other.
fn rows_of(from: &Connection, table: &str, columns: &Columns) -> rusqlite::Result<Vec<Vec<Value>>> {
    let sql = format!("SELECT {} FROM {table} ORDER BY id", listed(columns));
    crate::sqlite::db::rows(from, &sql, &[])
}

fn insert(table: &str, columns: &Columns, row: Vec<Value>) -> Ask {
    let marks: Vec<String> = (1..=columns.len())
        .map(|number| format!("${number}"))
        .collect();
    let row = columns
        .iter()
        .zip(row)
        .map(|((_, kind), value)| fitting(kind, value));
    Ask::new(
        format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            listed(columns),
            marks.join(", ")
        ),
        row.collect(),
    )
}

/// SQLite takes a value of any type for a column; a person may have used that.
fn fitting(kind: &str, value: Value) -> Value {
    match (kind, value) {
        ("text", Value::Integer(number)) => Value::Text(number.to_string()),
        ("bytea", Value::Text(text)) => Value::Blob(text.into_bytes()),
        (_, value) => value,
    }
}

/// Lets the server go on with the next number, where it gives them.
fn next_number(table: &str) -> String {
    format!(
        "SELECT setval(s.name, m.id) FROM (SELECT pg_get_serial_sequence('{table}', 'id') AS name) s, \
         (SELECT max(id) AS id FROM {table}) m WHERE s.name IS NOT NULL AND m.id IS NOT NULL"
    )
}
