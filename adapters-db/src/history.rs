//! The history: the starts, of which equal ones in a row share one row, and what commands did. Of
//! starts, and of each kind of event, 200 rows are kept (C10).

use ports::{Event, EventKind, HistoryEntry, HistoryRow, StartRecord, Starts, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use crate::columns::{has_table, long_text, required, stamp, text, time as time_column};
use crate::db::Db;

const KEPT_ROWS: i64 = 200;

/// Records container, version and history row (C5).
pub(crate) fn record(db: &Db<'_>, start: &StartRecord) -> Result<(), StoreError> {
    let at = stamp(start.at)?;
    put_start(db, start, &at).map_err(db.failed("recording the start"))
}

fn put_start(transaction: &Connection, start: &StartRecord, at: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO app_version (id, version, container_id, last_updated) \
         VALUES (1, ?1, ?2, ?3) ON CONFLICT (id) DO UPDATE \
         SET version = ?1, container_id = ?2, last_updated = ?3",
        params![start.version, start.container_id, at],
    )?;
    match equal_newest(transaction, start)? {
        Some(id) => transaction.execute(
            "UPDATE startup_history SET starts = starts + 1, last_at = ?2 WHERE id = ?1",
            params![id, at],
        )?,
        None => insert_start(transaction, start, at)?,
    };
    Ok(())
}

/// The newest start, where it is equal and nothing else happened since.
fn equal_newest(transaction: &Connection, start: &StartRecord) -> rusqlite::Result<Option<i64>> {
    transaction
        .query_row(
            "SELECT id FROM startup_history \
             WHERE id = (SELECT max(id) FROM startup_history) \
             AND id > (SELECT coalesce(max(after_start), 0) FROM event) \
             AND version IS ?1 AND container_id IS ?2 AND startup_scenario IS ?3 \
             AND restore_scenario IS ?4 AND outcome IS ?5 AND changes IS ?6 AND user_id IS ?7 \
             AND typeof(starts) = 'integer' AND starts < 9223372036854775807",
            params![
                start.version,
                start.container_id,
                start.startup_scenario,
                start.restore_scenario,
                start.outcome,
                start.changes,
                start.user_id
            ],
            |row| row.get(0),
        )
        .optional()
}

fn insert_start(
    transaction: &Connection,
    start: &StartRecord,
    at: &str,
) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT INTO startup_history (first_at, last_at, starts, version, container_id, \
         startup_scenario, restore_scenario, outcome, changes, user_id) \
         VALUES (?1, ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            at,
            start.version,
            start.container_id,
            start.startup_scenario,
            start.restore_scenario,
            start.outcome,
            start.changes,
            start.user_id
        ],
    )?;
    transaction.execute(
        "DELETE FROM startup_history WHERE id NOT IN \
         (SELECT id FROM startup_history ORDER BY id DESC LIMIT ?1)",
        [KEPT_ROWS],
    )
}

/// Notes what a command does in this very transaction.
pub(crate) fn note(db: &Db<'_>, event: &Event) -> Result<(), StoreError> {
    let at = stamp(event.at)?;
    put_event(db, event, &at).map_err(db.failed("noting it in the history"))
}

fn put_event(transaction: &Connection, event: &Event, at: &str) -> rusqlite::Result<()> {
    let name = event.kind.name();
    transaction.execute(
        "INSERT INTO event (after_start, at, version, container_id, user_id, event, detail) \
         VALUES ((SELECT max(id) FROM startup_history), ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            at,
            event.version,
            event.container_id,
            event.user_id,
            name,
            event.detail
        ],
    )?;
    // Of each kind by itself: a backup each hour must not push out who set the node up.
    transaction
        .execute(
            "DELETE FROM event WHERE event = ?1 AND id NOT IN \
             (SELECT id FROM event WHERE event = ?1 ORDER BY id DESC LIMIT ?2)",
            params![name, KEPT_ROWS],
        )
        .map(drop)
}

/// When the last backup was made, as far as the history goes back.
pub(crate) fn last_backup(db: &Db<'_>) -> Result<Option<OffsetDateTime>, StoreError> {
    let last = db
        .query_row(
            "SELECT at FROM event WHERE event = ?1 ORDER BY id DESC LIMIT 1",
            [EventKind::BackupMade.name()],
            |row| time_column(row, 0),
        )
        .optional();
    Ok(last.map_err(db.failed("reading the history"))?.flatten())
}

/// The history, newest first.
pub(crate) fn read(db: &Db<'_>, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows(db, limit).map_err(db.failed("reading the history"))
}

const STARTS: &str = "SELECT last_at, version, container_id, user_id, NULL, NULL, first_at, \
                      starts, startup_scenario, restore_scenario, outcome, changes, \
                      id AS turn, 0 AS later FROM startup_history";
const EVENTS: &str = "SELECT at, version, container_id, user_id, event, detail, NULL, NULL, NULL, \
                      NULL, NULL, NULL, coalesce(after_start, 0), id FROM event";

fn rows(connection: &Connection, limit: i64) -> rusqlite::Result<Vec<HistoryRow>> {
    // A schema that is behind has starts alone, and does not know who ran them.
    let all = if has_table(connection, "event")? {
        format!("{STARTS} UNION ALL {EVENTS}")
    } else {
        STARTS.replace("user_id", "NULL")
    };
    connection
        .prepare(&format!("{all} ORDER BY turn DESC, later DESC LIMIT ?1"))?
        .query_map([limit], from_row)?
        .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let entry = match text(row, 4)? {
        Some(name) => HistoryEntry::Event {
            name,
            detail: long_text(row, 5)?.unwrap_or_default(),
        },
        None => HistoryEntry::Starts(starts(row)?),
    };
    Ok(HistoryRow {
        at: required(0, time_column(row, 0)?)?,
        version: text(row, 1)?.unwrap_or_default(),
        container_id: text(row, 2)?.unwrap_or_default(),
        user_id: row.get(3)?,
        entry,
    })
}

fn starts(row: &Row<'_>) -> rusqlite::Result<Starts> {
    let count: i64 = row.get(7)?;
    Ok(Starts {
        first_at: required(6, time_column(row, 6)?)?,
        count: u64::try_from(count)
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(7, count))?,
        startup_scenario: text(row, 8)?.unwrap_or_default(),
        restore_scenario: text(row, 9)?,
        outcome: text(row, 10)?.unwrap_or_default(),
        changes: long_text(row, 11)?.unwrap_or_default(),
    })
}
