//! Whether a database is whole: as long as it says, its pages and indexes right.

use std::io::ErrorKind;

use camino::Utf8Path;
use ports::{FileError, ResultExt as _, StoreError};
use rusqlite::{Connection, Error, OptionalExtension as _};

use crate::sqlite::db::Db;
use crate::sqlite::sql_error::damaged;

/// Up to here the whole file is checked at every start; beyond, it would make starts slow.
const CHECKED_BYTES: u64 = 64 << 20;

/// Whether the file is whole.
pub(crate) fn check(db: &Db<'_>) -> Result<(), StoreError> {
    let size = size(db).map_err(|error| db.unreadable(error))?;
    ensure_untruncated(db, size)?;
    if size > CHECKED_BYTES {
        return Ok(());
    }
    ensure_ok(db, "quick_check", |error| db.unreadable(error))
}

/// Whether the whole file is right, whatever its size: pages, indexes, references.
pub(crate) fn check_all(db: &Db<'_>) -> Result<(), StoreError> {
    ensure_ok(db, "integrity_check", |error| db.unreadable(error))?;
    let dangling = db
        .query_row("PRAGMA foreign_key_check", [], |row| {
            row.get::<_, String>(0)
        })
        .optional()
        .map_err(|error| db.unreadable(error))?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(damaged(
            db.path,
            &format!("a row of {table} refers to nothing"),
        )),
    }
}

/// Whether a database that is ours is whole in itself: pages, tables, indexes.
pub(crate) fn check_pages(db: &Db<'_>) -> Result<(), StoreError> {
    ensure_ok(db, "integrity_check", db.failed("checking the database"))
}

fn ensure_ok(
    db: &Db<'_>,
    pragma: &str,
    failed: impl FnOnce(Error) -> StoreError,
) -> Result<(), StoreError> {
    match damage(db, pragma).map_err(failed)? {
        None => Ok(()),
        Some(wrong) => Err(damaged(db.path, &wrong)),
    }
}

/// What is wrong, first of all, where something is, by `quick_check` or `integrity_check`.
pub(crate) fn damage(connection: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let verdict: String =
        connection.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// SQLite fills up a last page that is cut short with zeros.
fn ensure_untruncated(db: &Db<'_>, size: u64) -> Result<(), StoreError> {
    let mode: String = db
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| db.unreadable(error))?;
    // The newest pages of a database with write-ahead logging may not be in the file yet.
    if mode == "wal" {
        return Ok(());
    }
    match length(db)? {
        Some(length) => ensure_length(db.path, length, size),
        // A private copy, which was measured while it had a name.
        None => Ok(()),
    }
}

/// How many bytes the file has; `None` where it has no name any more.
pub(crate) fn length(db: &Db<'_>) -> Result<Option<u64>, FileError> {
    match std::fs::metadata(db.connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => metadata
            .map(|metadata| Some(metadata.len()))
            .or_io(|| format!("looking at the database {}", db.path)),
    }
}

/// Whether the file has as many bytes as its header says.
pub(crate) fn ensure_length(path: &Utf8Path, length: u64, size: u64) -> Result<(), StoreError> {
    if length >= size {
        return Ok(());
    }
    Err(damaged(
        path,
        &format!("it has {length} bytes and should have {size}"),
    ))
}

/// How many bytes the database says that it has.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let size = number("page_count")?.saturating_mul(number("page_size")?);
    Ok(u64::try_from(size).unwrap_or_default())
}
