//! The history of starts: equal starts in a row share one row, and 200 rows are kept (C10).

use ports::{HistoryRow, StartRecord, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::columns::{long_text, required, stamp, text, time as time_column};
use crate::db::Db;

const KEPT_ROWS: i64 = 200;

/// Records container, version and history row (C5).
pub(crate) fn record(db: &Db<'_>, start: &StartRecord) -> Result<(), StoreError> {
    let at = stamp(start.at)?;
    put(db, start, &at).map_err(db.failed("recording the start"))
}

fn put(transaction: &Connection, start: &StartRecord, at: &str) -> rusqlite::Result<()> {
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
        None => insert(transaction, start, at)?,
    };
    Ok(())
}

fn equal_newest(transaction: &Connection, start: &StartRecord) -> rusqlite::Result<Option<i64>> {
    transaction
        .query_row(
            "SELECT id FROM startup_history \
             WHERE id = (SELECT max(id) FROM startup_history) \
             AND version IS ?1 AND container_id IS ?2 AND startup_scenario IS ?3 \
             AND restore_scenario IS ?4 AND outcome IS ?5 AND changes IS ?6 \
             AND typeof(starts) = 'integer' AND starts < 9223372036854775807",
            params![
                start.version,
                start.container_id,
                start.startup_scenario,
                start.restore_scenario,
                start.outcome,
                start.changes
            ],
            |row| row.get(0),
        )
        .optional()
}

fn insert(transaction: &Connection, start: &StartRecord, at: &str) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT INTO startup_history (first_at, last_at, starts, version, container_id, \
         startup_scenario, restore_scenario, outcome, changes) \
         VALUES (?1, ?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            at,
            start.version,
            start.container_id,
            start.startup_scenario,
            start.restore_scenario,
            start.outcome,
            start.changes
        ],
    )?;
    transaction.execute(
        "DELETE FROM startup_history WHERE id NOT IN \
         (SELECT id FROM startup_history ORDER BY id DESC LIMIT ?1)",
        [KEPT_ROWS],
    )
}

/// The history, newest first.
pub(crate) fn read(db: &Db<'_>, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows(db, limit).map_err(db.failed("reading the history"))
}

fn rows(connection: &Connection, limit: i64) -> rusqlite::Result<Vec<HistoryRow>> {
    connection
        .prepare(
            "SELECT first_at, last_at, starts, version, container_id, startup_scenario, \
             restore_scenario, outcome, changes FROM startup_history ORDER BY id DESC LIMIT ?1",
        )?
        .query_map([limit], from_row)?
        .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let starts: i64 = row.get(2)?;
    Ok(HistoryRow {
        first_at: required(0, time_column(row, 0)?)?,
        last_at: required(1, time_column(row, 1)?)?,
        starts: u64::try_from(starts)
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, starts))?,
        version: text(row, 3)?.unwrap_or_default(),
        container_id: text(row, 4)?.unwrap_or_default(),
        startup_scenario: text(row, 5)?.unwrap_or_default(),
        restore_scenario: text(row, 6)?,
        outcome: text(row, 7)?.unwrap_or_default(),
        changes: long_text(row, 8)?.unwrap_or_default(),
    })
}
