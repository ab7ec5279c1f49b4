//! A connection together with the path of its database, which every error names.

use std::ops::Deref;

use camino::Utf8Path;
use ports::StoreError;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, Row, ToSql, Transaction, TransactionBehavior, params_from_iter};

use crate::sql::{Param, Sql, Tables};
use crate::sqlite::{scrub, sql_error};

/// A connection to the database at a path.
#[derive(Clone, Copy)]
pub(crate) struct Db<'a> {
    pub(crate) path: &'a Utf8Path,
    pub(crate) connection: &'a Connection,
}

impl<'a> Db<'a> {
    /// The database of this connection.
    pub(crate) fn new(path: &'a Utf8Path, connection: &'a Connection) -> Self {
        Self { path, connection }
    }

    /// A read transaction: what is read until the end of it is one state of the database. `BEGIN`
    /// alone takes none, the first read does.
    pub(crate) fn begin_reading(&self) -> Result<Transaction<'a>, StoreError> {
        let begin = || {
            let state = Transaction::new_unchecked(self.connection, TransactionBehavior::Deferred)?;
            state.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(state)
        };
        begin().map_err(self.failed("reading"))
    }

    /// What an error of SQLite means; `doing` is like "reading the token".
    pub(crate) fn failed(&self, doing: &'static str) -> impl Fn(Error) -> StoreError + use<'a> {
        let path = self.path;
        move |error| sql_error::failed(path, doing, error)
    }

    /// What an error of SQLite means before the schema is known to be ours.
    pub(crate) fn unreadable(&self, error: Error) -> StoreError {
        sql_error::unreadable(self.path, error)
    }

    /// Its tables, for what PostgreSQL understands too.
    pub(crate) fn tables(&self) -> Tables<'_> {
        Tables::new(self.path, self)
    }

    fn is_there(&self, table: &str, column: &str) -> rusqlite::Result<bool> {
        self.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
            [table, column],
            |row| row.get(0),
        )
    }
}

impl Sql for Db<'_> {
    fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        rows(self, sql, params).map_err(self.failed(doing))
    }

    fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let executed = Connection::execute(self, &numbered(sql), params_from_iter(params));
        executed.map(drop).map_err(self.failed(doing))
    }

    fn has_column(&self, table: &str, column: &str) -> Result<bool, StoreError> {
        let is_there = self.is_there(table, column);
        is_there.map_err(self.failed("looking at the tables"))
    }

    fn mark_scrub(&self) -> Result<(), StoreError> {
        scrub::mark(self).map_err(self.failed("marking that a scrub is due"))
    }

    fn is_scrub_due(&self) -> Result<bool, StoreError> {
        scrub::is_due(self).map_err(self.failed("reading the mark of a scrub"))
    }
}

/// All rows, as they stand there: what is no UTF-8 is bytes.
pub(crate) fn rows(
    connection: &Connection,
    sql: &str,
    params: &[Param<'_>],
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare(&numbered(sql))?;
    let columns = statement.column_count();
    let value = |row: &Row<'_>, column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Text(text) => match String::from_utf8(text.to_vec()) {
                Ok(text) => Value::Text(text),
                Err(error) => Value::Blob(error.into_bytes()),
            },
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        })
    };
    let rows = statement.query_map(params_from_iter(params), |row| {
        (0..columns).map(|column| value(row, column)).collect()
    })?;
    rows.collect()
}

/// SQLite numbers `$1` by the place where it stands first, and `?1` by its number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
