//! Whether a file that SQLite can open is ours, whole, and how far it is migrated (C4, C6).

use camino::Utf8Path;
use domain::SchemaState;
use ports::{Fault, FaultKind};
use refinery::Runner;
use rusqlite::{Connection, OptionalExtension as _};

use crate::look::not_sqlite;
use crate::schema::{APPLICATION_ID, HISTORY_TABLE, applied, begins_as_ours, compare};
use crate::sql_error::{class, fault};

/// Up to here the whole file is checked at every start; beyond, it would make starts slow.
const CHECKED_BYTES: i64 = 64 << 20;

/// What a file that SQLite can open holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// No table of ours and of nobody else: a first start that was killed at once.
    Nothing,
    /// Our schema.
    Schema(SchemaState),
}

/// Whose it is and how far it is migrated.
pub(crate) fn identify(
    path: &Utf8Path,
    connection: &Connection,
    runner: &Runner,
) -> Result<Found, Fault> {
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    let tables = tables(connection).map_err(|error| unreadable(path, error))?;
    let rows = if tables.iter().any(|table| table == HISTORY_TABLE) {
        applied(connection).map_err(|error| fault(path, "reading the migration history", error))?
    } else {
        Vec::new()
    };
    let bare = tables.iter().all(|table| table == HISTORY_TABLE) && rows.is_empty();
    match id {
        0 if bare => Ok(Found::Nothing),
        0 if begins_as_ours(&rows, runner) => Ok(Found::Schema(compare(&rows, runner))),
        APPLICATION_ID if rows.is_empty() => Err(Fault::new(
            FaultKind::DataCorrupt,
            format!("the database {path} has lost its migration history ({HISTORY_TABLE})"),
            "restore the newest snapshot or a backup (`backup restore`)",
        )),
        APPLICATION_ID => Ok(Found::Schema(compare(&rows, runner))),
        _ => Err(foreign(path, id, &tables)),
    }
}

/// Whether the file is whole.
pub(crate) fn check(path: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let reading = |error| unreadable(path, error);
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let size = number("page_count")
        .and_then(|pages| Ok(pages.saturating_mul(number("page_size")?)))
        .map_err(reading)?;
    refuse_truncated(path, connection, size)?;
    if size > CHECKED_BYTES {
        return Ok(());
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(reading)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(damaged(path, &verdict))
}

/// Whether the whole file is right, whatever its size: pages, indexes, references.
pub(crate) fn check_all(path: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    if verdict != "ok" {
        return Err(damaged(path, &verdict));
    }
    let dangling = connection
        .query_row("PRAGMA foreign_key_check", [], |row| {
            row.get::<_, String>(0)
        })
        .optional()
        .map_err(|error| unreadable(path, error))?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(damaged(
            path,
            &format!("a row of {table} refers to nothing"),
        )),
    }
}

/// SQLite fills up a last page that is cut short with zeros.
fn refuse_truncated(path: &Utf8Path, connection: &Connection, size: i64) -> Result<(), Fault> {
    let is_the_file = connection.path().is_some_and(|path| !path.is_empty());
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    // The newest pages of a database with write-ahead logging may not be in the file yet.
    if !is_the_file || mode == "wal" {
        return Ok(());
    }
    let length = std::fs::metadata(path)
        .map_err(|error| Fault::io(format!("looking at the database {path}"), error))?
        .len();
    if i64::try_from(length).is_ok_and(|length| length < size) {
        return Err(damaged(
            path,
            &format!("it has {length} bytes and should have {size}"),
        ));
    }
    Ok(())
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name")?
        .query_map([], |row| row.get::<_, String>(0))?
        .filter(|name| !matches!(name, Ok(name) if name.starts_with("sqlite_")))
        .collect()
}

fn unreadable(path: &Utf8Path, error: rusqlite::Error) -> Fault {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        return not_sqlite(path).because(error);
    }
    if class(path, &error).0 == FaultKind::DataCorrupt {
        return damaged(path, "SQLite cannot read it").because(error);
    }
    fault(path, "reading", error)
}

fn damaged(path: &Utf8Path, how: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the database {path} is damaged: {how}"),
        "keep a copy of the file, then restore the newest snapshot or a backup (`backup restore`)",
    )
}

fn foreign(path: &Utf8Path, id: i64, tables: &[String]) -> Fault {
    let some: Vec<&str> = tables.iter().take(5).map(String::as_str).collect();
    Fault::new(
        FaultKind::DataCorrupt,
        format!(
            "the database {path} belongs to another application (application id {id:#010x}, \
             tables: {})",
            if some.is_empty() {
                "none".to_owned()
            } else {
                some.join(", ")
            }
        ),
        "set the database's path to this node's database; that file was left as it is",
    )
}
