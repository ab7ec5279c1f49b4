//! The history: the starts, of which equal ones of a node in a row share one row, and what commands
//! did. Of starts, and of each kind of event, 200 rows are kept (C10).

use ports::{Event, EventKind, HistoryEntry, HistoryRow, StartRecord, Starts, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use time::OffsetDateTime;

use crate::columns::{
    has_column, has_table, long_text, required, stamp, text, time as time_column,
};
use crate::db::Db;

/// So many starts of a node, and events of a kind.
const KEPT_ROWS: i64 = 200;

/// A statement that SQLite and PostgreSQL both understand, and its parameters: numbered in the order
/// in which they first stand there, so that `$1` is the first one for SQLite, too.
pub(crate) type Statement = (&'static str, Vec<Value>);

fn number(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

fn optional(text: &Option<String>) -> Value {
    text.clone().map_or(Value::Null, Value::Text)
}

/// What records version, container and history row (C5). At most `kept` rows of starts are left, of
/// whatever nodes.
pub(crate) fn of_start(start: &StartRecord, kept: i64) -> Result<Vec<Statement>, StoreError> {
    let at = Value::Text(stamp(start.at)?);
    let text = |text: &String| Value::Text(text.clone());
    let node = text(&start.node);
    Ok(vec![
        (
            "INSERT INTO app_version (id, version, container_id, last_updated) \
             VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE \
             SET version = $1, container_id = $2, last_updated = $3",
            vec![text(&start.version), text(&start.container_id), at.clone()],
        ),
        // The newest start counts on where it is equal and nothing else happened since.
        (
            "INSERT INTO startup_history (first_at, last_at, starts, version, container_id, \
             startup_scenario, restore_scenario, outcome, changes, user_id, node) \
             SELECT $1, $1, 0, $2, $3, $4, $5, $6, $7, $8, $9 WHERE NOT EXISTS ( \
             SELECT 1 FROM startup_history \
             WHERE id = (SELECT max(id) FROM startup_history WHERE node = $9) \
             AND id > (SELECT coalesce(max(after_start), 0) FROM event) \
             AND version = $2 AND container_id = $3 AND startup_scenario = $4 \
             AND restore_scenario IS NOT DISTINCT FROM $5 AND outcome = $6 AND changes = $7 \
             AND user_id = $8 AND starts < 9223372036854775807)",
            vec![
                at.clone(),
                text(&start.version),
                text(&start.container_id),
                text(&start.startup_scenario),
                optional(&start.restore_scenario),
                text(&start.outcome),
                text(&start.changes),
                number(start.user_id),
                node.clone(),
            ],
        ),
        (
            "UPDATE startup_history SET starts = starts + 1, last_at = $1 \
             WHERE id = (SELECT max(id) FROM startup_history WHERE node = $2)",
            vec![at, node.clone()],
        ),
        (
            "DELETE FROM startup_history WHERE node = $1 AND id NOT IN (SELECT id \
             FROM startup_history WHERE node = $1 ORDER BY id DESC LIMIT $2)",
            vec![node, number(KEPT_ROWS)],
        ),
        (
            "DELETE FROM startup_history WHERE id NOT IN \
             (SELECT id FROM startup_history ORDER BY id DESC LIMIT $1)",
            vec![number(kept)],
        ),
    ])
}

/// What notes the event.
pub(crate) fn of_event(event: &Event) -> Result<Vec<Statement>, StoreError> {
    let text = |text: &String| Value::Text(text.clone());
    let name = Value::Text(event.kind.name().to_owned());
    Ok(vec![
        (
            "INSERT INTO event (after_start, at, version, container_id, user_id, event, detail, \
             node) VALUES ((SELECT max(id) FROM startup_history), $1, $2, $3, $4, $5, $6, $7)",
            vec![
                Value::Text(stamp(event.at)?),
                text(&event.version),
                text(&event.container_id),
                number(event.user_id),
                name.clone(),
                text(&event.detail),
                text(&event.node),
            ],
        ),
        // Of each kind by itself: a backup each hour must not push out who set the node up.
        (
            "DELETE FROM event WHERE event = $1 AND id NOT IN \
             (SELECT id FROM event WHERE event = $1 ORDER BY id DESC LIMIT $2)",
            vec![name, number(KEPT_ROWS)],
        ),
    ])
}

/// Records container, version and history row.
pub(crate) fn record(db: &Db<'_>, start: &StartRecord) -> Result<(), StoreError> {
    carry_out(db, of_start(start, KEPT_ROWS)?).map_err(db.failed("recording the start"))
}

/// Notes what a command does in this very transaction.
pub(crate) fn note(db: &Db<'_>, event: &Event) -> Result<(), StoreError> {
    carry_out(db, of_event(event)?).map_err(db.failed("noting it in the history"))
}

fn carry_out(connection: &Connection, statements: Vec<Statement>) -> rusqlite::Result<()> {
    for (sql, values) in statements {
        connection.execute(sql, params_from_iter(values))?;
    }
    Ok(())
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
                      starts, startup_scenario, restore_scenario, outcome, changes, node, \
                      id AS turn, 0 AS later FROM startup_history";
const EVENTS: &str = "SELECT at, version, container_id, user_id, event, detail, NULL, NULL, NULL, \
                      NULL, NULL, NULL, node, coalesce(after_start, 0), id FROM event";

fn rows(connection: &Connection, limit: i64) -> rusqlite::Result<Vec<HistoryRow>> {
    // A schema that is behind may have starts alone, and not know who ran them, or on which node.
    let all = if !has_table(connection, "event")? {
        STARTS.replace("user_id", "NULL").replace("node", "NULL")
    } else if has_column(connection, "event", "node")? {
        format!("{STARTS} UNION ALL {EVENTS}")
    } else {
        format!("{STARTS} UNION ALL {EVENTS}").replace("node", "NULL")
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
        node: text(row, 12)?,
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
