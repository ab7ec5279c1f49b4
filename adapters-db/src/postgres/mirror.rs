//! One state of a database on a server, as a SQLite database in memory.
//!
//! What SQLite nodes do with their database is done here with the same SQL, so that it is written,
//! and judged, once. What it changes goes back to the server, row by row (ADR 20).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::SchemaState;
use ports::{Cause, StoreError};
use rusqlite::hooks::Action;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::session::{Ask, Rows};
use crate::schema::{APPLICATION_ID, HISTORY_TABLE, runner};
use crate::schema_text::made_by;
use crate::sql_error::defect;

/// Columns and their types, as PostgreSQL calls them.
pub(super) type Columns = Vec<(String, String)>;

/// Tables, and the ids of their rows that were changed, in the order of the changes; none while nobody
/// wants to know.
type Touched = Arc<Mutex<Option<Vec<(String, i64)>>>>;

/// The mirror.
pub(super) struct Mirror {
    pub(super) connection: Connection,
    touched: Touched,
    tables: BTreeMap<String, Columns>,
}

impl Mirror {
    /// An empty one, of the schema that all migrations make.
    pub(super) fn newest() -> Result<Self, StoreError> {
        Self::of(runner()?.get_migrations().len())
    }

    /// An empty one, of the schema that the first `count` migrations make.
    pub(super) fn of(count: usize) -> Result<Self, StoreError> {
        let objects = made_by(&runner()?, count)?;
        let make = || -> rusqlite::Result<Self> {
            let mut connection = Connection::open_in_memory()?;
            let touched = watched(&mut connection)?;
            // Rows come table by table, whatever refers to whatever.
            connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF")?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            for object in objects.iter().filter(|object| !object.sql().is_empty()) {
                connection.execute_batch(object.sql())?;
            }
            let tables = objects.iter().filter(|object| object.is_plain_table());
            let tables = tables
                .map(|object| Ok((object.name.clone(), columns_of(&connection, &object.name)?)));
            let tables = tables.collect::<rusqlite::Result<_>>()?;
            Ok(Self {
                connection,
                touched,
                tables,
            })
        };
        make().map_err(broken)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub(super) fn columns(&self, table: &str) -> Option<&Columns> {
        self.tables.get(table)
    }

    /// Takes the rows in. What breaks a rule of the schema cannot have been written by this program.
    pub(super) fn fill(&self, table: &str, columns: &Columns, rows: &Rows) -> rusqlite::Result<()> {
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", listed(columns));
        let mut insert = self.connection.prepare(&sql)?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    /// Takes in what was applied, under the checksums that the same migrations have for SQLite.
    pub(super) fn fill_applied(&self, applied: &Rows) -> Result<(), StoreError> {
        let runner = runner()?;
        let own = |version: &Value| {
            let migrations = runner.get_migrations().iter();
            let mut own = migrations.filter(|own| Value::from(own.version()) == *version);
            own.next()
                .map_or(Value::Null, |own| Value::Text(own.checksum().to_string()))
        };
        let rows: Rows = applied
            .iter()
            .map(|row| {
                let mut row = row.clone();
                if let [version, _, _, checksum] = row.as_mut_slice() {
                    *checksum = own(version);
                }
                row
            })
            .collect();
        let names = ["version", "name", "applied_on", "checksum"];
        let columns = names.map(|name| (name.to_owned(), String::new())).to_vec();
        self.fill(HISTORY_TABLE, &columns, &rows).map_err(broken)
    }

    /// Lets `act` change the mirror, and tells what has to be asked of the server to change it alike.
    pub(super) fn changes<T>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<(T, Vec<Ask>), StoreError> {
        let foreign_keys = "PRAGMA foreign_keys = ON";
        self.connection
            .execute_batch(foreign_keys)
            .map_err(broken)?;
        let touched = || self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        *touched() = Some(Vec::new());
        let value = act();
        let places = touched().take().unwrap_or_default();
        let asks = places
            .iter()
            .map(|(table, row)| self.put_or_delete(table, *row));
        Ok((
            value?,
            asks.collect::<rusqlite::Result<_>>().map_err(broken)?,
        ))
    }

    fn put_or_delete(&self, table: &str, id: i64) -> rusqlite::Result<Ask> {
        let columns = self.tables.get(table).cloned().unwrap_or_default();
        let select = format!("SELECT {} FROM {table} WHERE id = ?1", listed(&columns));
        let row = self
            .connection
            .query_row(&select, [id], |row| values(row, columns.len()));
        Ok(match row.optional()? {
            Some(row) => {
                let own = columns
                    .iter()
                    .map(|(name, _)| format!("\"{name}\" = excluded.\"{name}\""));
                let own = own.collect::<Vec<_>>().join(", ");
                insert(
                    table,
                    &columns,
                    row,
                    &format!(" ON CONFLICT (id) DO UPDATE SET {own}"),
                )
            }
            None => Ask::new(
                format!("DELETE FROM {table} WHERE id = $1"),
                vec![Value::Integer(id)],
            ),
        })
    }
}

fn watched(connection: &mut Connection) -> rusqlite::Result<Touched> {
    let touched: Touched = Arc::default();
    let told = Arc::clone(&touched);
    let tell = move |_: Action, _: &str, table: &str, row: i64| {
        let mut touched = told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = touched.as_mut()
            && !places.iter().any(|(of, id)| of == table && *id == row)
        {
            places.push((table.to_owned(), row));
        }
    };
    connection.update_hook(Some(tell))?;
    Ok(touched)
}

/// What puts every row of a database into the tables of a server, but for the applied migrations.
pub(super) fn all_rows(from: &Connection, made: &Mirror) -> rusqlite::Result<Vec<Ask>> {
    let mut asks = Vec::new();
    for (table, columns) in made
        .tables
        .iter()
        .filter(|(name, _)| *name != HISTORY_TABLE)
    {
        let select = format!("SELECT {} FROM {table} ORDER BY id", listed(columns));
        let mut select = from.prepare(&select)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            asks.push(insert(table, columns, values(row, columns.len())?, ""));
        }
    }
    Ok(asks)
}

fn insert(table: &str, columns: &Columns, row: Vec<Value>, end: &str) -> Ask {
    let marks: Vec<String> = (1..=columns.len())
        .map(|number| format!("${number}"))
        .collect();
    let row = columns
        .iter()
        .zip(row)
        .map(|((_, kind), value)| fitting(kind, value));
    Ask::new(
        format!(
            "INSERT INTO {table} ({}) VALUES ({}){end}",
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

/// The state of the schema that a mirror is of; one that is not known here has no mirror but of its
/// version.
pub(super) fn is_mirrored(state: SchemaState) -> bool {
    matches!(state, SchemaState::Current | SchemaState::Behind)
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Columns> {
    let mut select = connection.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
    let rows = select.query_map([table], |row| {
        let kind: String = row.get(1)?;
        let kind = match kind.to_ascii_uppercase().as_str() {
            "INTEGER" => "bigint",
            "TEXT" => "text",
            "BLOB" => "bytea",
            // Of refinery's table.
            "INT4" => "integer",
            _ => "character varying",
        };
        Ok((row.get(0)?, kind.to_owned()))
    })?;
    rows.collect()
}

/// As they are named in a statement.
pub(super) fn listed(columns: &Columns) -> String {
    let quoted = columns.iter().map(|(name, _)| format!("\"{name}\""));
    quoted.collect::<Vec<_>>().join(", ")
}

fn values(row: &rusqlite::Row<'_>, count: usize) -> rusqlite::Result<Vec<Value>> {
    (0..count).map(|number| row.get(number)).collect()
}

/// A mirror that this program made itself does not work.
fn broken(error: rusqlite::Error) -> StoreError {
    let source: Cause = error.into();
    defect("a database in memory failed", Some(source))
}
