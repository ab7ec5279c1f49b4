//! Taking what was clear text out of the file for good.
//!
//! `secure_delete` zeroes a deleted row, but SQLite moves rows between pages and leaves old bytes
//! in the gaps. So after a key was sealed or forgotten the file is rebuilt. A mark that is committed
//! together with that says that this is still to be done, should the process be killed in between.

use rusqlite::{Connection, Result};

const MARK: i64 = 1;

/// Marks, in the transaction that seals or removes.
pub(crate) fn mark(transaction: &Connection) -> Result<()> {
    transaction.pragma_update(None, "user_version", MARK)
}

/// Whether the mark is set.
pub(crate) fn is_due(connection: &Connection) -> Result<bool> {
    let mark: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(mark == MARK)
}

/// Rebuilds the file where the mark is set.
pub(crate) fn finish(connection: &Connection) -> Result<()> {
    if !is_due(connection)? {
        return Ok(());
    }
    connection.execute_batch("VACUUM")?;
    empty_wal(connection)?;
    connection.pragma_update(None, "user_version", 0)
}

/// The write-ahead log holds old pages until it is cut to nothing.
fn empty_wal(connection: &Connection) -> Result<()> {
    let blocked: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if blocked == 0 {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
        Some("a reader keeps the write-ahead log from being emptied".to_owned()),
    ))
}
