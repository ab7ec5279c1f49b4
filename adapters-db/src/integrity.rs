//! Whether a database is whole: as long as it says, its pages and indexes right.

use std::io::ErrorKind;

use camino::Utf8Path;
use ports::{Fault, ResultExt as _};
use rusqlite::{Connection, Error, OptionalExtension as _};

use crate::damage::{damaged, unreadable};
use crate::db::Db;
use crate::sql_error::fault;

/// Up to here the whole file is checked at every start; beyond, it would make starts slow.
const CHECKED_BYTES: u64 = 64 << 20;

/// Whether the file is whole.
pub(crate) fn check(db: &Db<'_>) -> Result<(), Fault> {
    let size = size(db).map_err(|error| unreadable(db.path, error))?;
    ensure_untruncated(db, size)?;
    if size > CHECKED_BYTES {
        return Ok(());
    }
    ensure_ok(db, "quick_check", unreadable)
}

/// Whether the whole file is right, whatever its size: pages, indexes, references.
pub(crate) fn check_all(db: &Db<'_>) -> Result<(), Fault> {
    ensure_ok(db, "integrity_check", unreadable)?;
    let dangling = db
        .query_row("PRAGMA foreign_key_check", [], |row| {
            row.get::<_, String>(0)
        })
        .optional()
        .map_err(|error| unreadable(db.path, error))?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(damaged(
            db.path,
            &format!("a row of {table} refers to nothing"),
        )),
    }
}

/// Whether a database that is ours is whole in itself: pages, tables, indexes.
pub(crate) fn check_pages(db: &Db<'_>) -> Result<(), Fault> {
    let failed = |path: &Utf8Path, error| fault(path, "checking the database", error);
    ensure_ok(db, "integrity_check", failed)
}

fn ensure_ok(
    db: &Db<'_>,
    pragma: &str,
    failed: impl FnOnce(&Utf8Path, Error) -> Fault,
) -> Result<(), Fault> {
    match verdict(db, pragma) {
        Err(error) => Err(failed(db.path, error)),
        Ok(None) => Ok(()),
        Ok(Some(wrong)) => Err(damaged(db.path, &wrong)),
    }
}

/// What is wrong with its pages, first of all, where something is.
pub(crate) fn wrong_pages(connection: &Connection) -> rusqlite::Result<Option<String>> {
    verdict(connection, "integrity_check")
}

fn verdict(connection: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let verdict: String =
        connection.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// SQLite fills up a last page that is cut short with zeros.
fn ensure_untruncated(db: &Db<'_>, size: u64) -> Result<(), Fault> {
    let mode: String = db
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| unreadable(db.path, error))?;
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
pub(crate) fn length(db: &Db<'_>) -> Result<Option<u64>, Fault> {
    match std::fs::metadata(db.connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => Ok(metadata
            .map(|metadata| Some(metadata.len()))
            .or_io(|| format!("looking at the database {}", db.path))?),
    }
}

/// Refuses a file with fewer bytes than its header says.
pub(crate) fn ensure_length(path: &Utf8Path, length: u64, size: u64) -> Result<(), Fault> {
    if length >= size {
        return Ok(());
    }
    Err(damaged(
        path,
        &format!("it has {length} bytes and should have {size}"),
    ))
}

/// How many bytes the database has by its own account.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let size = number("page_count")?.saturating_mul(number("page_size")?);
    Ok(u64::try_from(size).unwrap_or_default())
}
