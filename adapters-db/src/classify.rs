//! Whether a file that SQLite can open is ours, whole, and how far it is migrated (C4, C6).

use std::io::ErrorKind;

use camino::Utf8Path;
use domain::SchemaState;
use ports::{Fault, FaultKind, ResultExt as _};
use refinery::Runner;
use rusqlite::{Connection, OptionalExtension as _};

use crate::damage::{damaged, not_sqlite, quoted, unreadable};
use crate::schema::{APPLICATION_ID, HISTORY_TABLE, applied, begins_as_ours, compare};
use crate::schema_text::{Object, is_bare, objects, refuse_altered};

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

/// Whose it is, how far it is migrated, and whether its schema is what the migrations made.
pub(crate) fn identify(
    path: &Utf8Path,
    connection: &Connection,
    runner: &Runner,
) -> Result<Found, Fault> {
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    let objects = objects(connection).map_err(|error| unreadable(path, error))?;
    let is_history = |object: &Object| object.name == HISTORY_TABLE && object.is_plain_table();
    let rows = if objects.iter().any(is_history) {
        applied(connection).map_err(|error| unreadable(path, error))?
    } else {
        Vec::new()
    };
    match id {
        0 if rows.is_empty() && is_bare(&objects, runner)? => {
            return refuse_noise(path, connection).map(|()| Found::Nothing);
        }
        0 if begins_as_ours(&rows, runner) => {}
        APPLICATION_ID if rows.is_empty() => {
            return Err(Fault::new(
                FaultKind::DataCorrupt,
                format!("the database {path} has lost its migration history ({HISTORY_TABLE})"),
                "restore the newest snapshot or a backup (`backup restore`)",
            ));
        }
        APPLICATION_ID => {}
        _ => return Err(foreign(path, id, &objects)),
    }
    let state = compare(&rows, runner);
    match state {
        SchemaState::Current | SchemaState::Behind => {
            refuse_altered(path, &objects, runner, rows.len())?;
        }
        // What other migrations make is not known here.
        SchemaState::Newer | SchemaState::Diverged => {}
    }
    Ok(Found::Schema(state))
}

/// Whether the file is whole.
pub(crate) fn check(path: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let reading = |error| unreadable(path, error);
    let size = size(connection).map_err(reading)?;
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
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| unreadable(path, error))?;
    // The newest pages of a database with write-ahead logging may not be in the file yet.
    if mode == "wal" {
        return Ok(());
    }
    match length(path, connection)? {
        Some(length) => refuse_short(path, length, size),
        // A private copy, which was measured while it had a name.
        None => Ok(()),
    }
}

/// SQLite takes a file of a few bytes for an empty one, and would write over them.
fn refuse_noise(path: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let size = size(connection).map_err(|error| unreadable(path, error))?;
    match length(path, connection)? {
        Some(length) if size == 0 && length > 0 => Err(not_sqlite(path)),
        _ => Ok(()),
    }
}

/// How many bytes the file has; `None` where it has no name any more.
fn length(path: &Utf8Path, connection: &Connection) -> Result<Option<u64>, Fault> {
    match std::fs::metadata(connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => metadata
            .map(|metadata| Some(metadata.len()))
            .or_io(|| format!("looking at the database {path}")),
    }
}

/// Refuses a file with fewer bytes than its header says.
pub(crate) fn refuse_short(path: &Utf8Path, length: u64, size: i64) -> Result<(), Fault> {
    if i64::try_from(length).is_ok_and(|length| length < size) {
        return Err(damaged(
            path,
            &format!("it has {length} bytes and should have {size}"),
        ));
    }
    Ok(())
}

/// How many bytes the database has by its own account.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<i64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    Ok(number("page_count")?.saturating_mul(number("page_size")?))
}

fn foreign(path: &Utf8Path, id: i64, objects: &[Object]) -> Fault {
    let some: Vec<String> = objects
        .iter()
        .filter(|object| object.is_plain_table())
        .take(5)
        .map(|object| quoted(&object.name))
        .collect();
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
