//! A connection together with the path of its database, which every error names.

use std::ops::Deref;

use camino::Utf8Path;
use ports::{Cause, StoreError};
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use crate::sql_error;

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

    /// A row that a person may have edited.
    pub(crate) fn wrong_row(&self, what: &str, source: Option<Cause>) -> StoreError {
        StoreError::WrongRow {
            path: self.path.to_string(),
            what: what.to_owned(),
            source,
        }
    }
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
