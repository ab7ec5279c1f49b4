//! The schema of a server's database as a SQLite database in memory, made by the same migrations: what
//! its tables have to look like, and where its rows go for a backup.

use std::collections::BTreeMap;

use ports::StoreError;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::session::Rows;
use crate::defect::defect;
use crate::schema::{APPLICATION_ID, HISTORY_TABLE, runner};
use crate::sqlite::schema_text::made_by;

/// Columns and their types, as PostgreSQL calls them.
pub(super) type Columns = Vec<(String, String)>;

/// The twin.
pub(super) struct Twin {
    pub(super) connection: Connection,
    pub(super) tables: BTreeMap<String, Columns>,
}

impl Twin {
    /// An empty one, of the schema that all migrations make.
    pub(super) fn newest() -> Result<Self, StoreError> {
        Self::of(usize::MAX)
    }

    /// An empty one, of the schema that the first `count` migrations make.
    pub(super) fn of(count: usize) -> Result<Self, StoreError> {
        let objects = made_by(&runner()?, count)?;
        let make = || -> rusqlite::Result<Self> {
            let connection = Connection::open_in_memory()?;
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
            Ok(Self { connection, tables })
        };
        make().map_err(broken)
    }

    /// Those that hold rows of ours, with their columns.
    pub(super) fn own_tables(&self) -> impl Iterator<Item = (&String, &Columns)> {
        self.tables
            .iter()
            .filter(|(name, _)| *name != HISTORY_TABLE)
    }

    /// Takes rows in.
    pub(super) fn fill(&self, table: &str, columns: &Columns, rows: &Rows) -> rusqlite::Result<()> {
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", listed(columns));
        let mut insert = self.connection.prepare_cached(&sql)?;
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
                if let [version, _, checksum, _] = row.as_mut_slice() {
                    *checksum = own(version);
                }
                row
            })
            .collect();
        let names = ["version", "name", "checksum", "applied_on"];
        let columns = names.map(|name| (name.to_owned(), String::new())).to_vec();
        self.fill(HISTORY_TABLE, &columns, &rows).map_err(broken)
    }
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

/// A database that this program made itself does not work.
pub(super) fn broken(error: rusqlite::Error) -> StoreError {
    defect("a database in memory failed", Some(error.into()))
}
