//! A connection together with the path of its database, which every error names.

use std::ops::Deref;

use camino::Utf8Path;
use ports::{Fault, FaultKind};
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use crate::sql_error::fault;

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

    /// What is read until the end of it is one state of the database, locked and looked at once.
    pub(crate) fn one_state(&self) -> Result<Transaction<'a>, Fault> {
        Transaction::new_unchecked(self.connection, TransactionBehavior::Deferred)
            .map_err(self.failed("reading"))
    }

    /// What an error of SQLite means; `doing` is like "reading the token".
    pub(crate) fn failed(&self, doing: &'static str) -> impl Fn(Error) -> Fault + use<'a> {
        let path = self.path;
        move |error| fault(path, doing, error)
    }

    /// A row that a person may have edited.
    pub(crate) fn wrong_row(&self, what: &str) -> Fault {
        Fault::new(
            FaultKind::DataCorrupt,
            format!("{what} (database {})", self.path),
            "correct the row, or restore the newest snapshot or a backup (`backup restore`)",
        )
    }
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
