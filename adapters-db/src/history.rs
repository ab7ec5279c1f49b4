//! The history: the starts, of which equal ones of a node in a row share one row, and what commands
//! did. Of starts, and of each kind of event, 200 rows are kept (C10).

use std::collections::BTreeMap;

use domain::Version;
use ports::{Event, HistoryEntry, HistoryRow, NodeSeen, StartRecord, Starts, StoreError};
use time::OffsetDateTime;

use crate::sql::{Row, Statement, Tables, WrongColumn, fitting, required, stamp};

/// So many starts of a node, and events of a kind.
pub(crate) const KEPT_ROWS: i64 = 200;

const READING: &str = "reading the history";
const LAST_BACKUP: &str =
    "SELECT at FROM event WHERE event = 'backup_made' ORDER BY id DESC LIMIT 1";
/// The newest start of each node, and the newest that a command did on it: a node that was recovered
/// may not have ended a start yet.
pub(crate) const NODES: &str = "SELECT node, version, last_at FROM startup_history WHERE id IN \
     (SELECT max(id) FROM startup_history WHERE node IS NOT NULL GROUP BY node) \
     UNION ALL SELECT node, version, at FROM event WHERE id IN \
     (SELECT max(id) FROM event WHERE node IS NOT NULL GROUP BY node) ORDER BY 1, 3";

/// What records version, container and history row (C5). At most `kept` rows of starts are left, of
/// whatever nodes.
pub(crate) fn of_start(start: &StartRecord, kept: i64) -> Result<Vec<Statement<'_>>, StoreError> {
    let at = stamp(start.at)?;
    let node = &start.node;
    Ok(vec![
        (
            "INSERT INTO app_version (id, version, container_id, last_updated) \
             VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE \
             SET version = $1, container_id = $2, last_updated = $3",
            vec![
                (&start.version).into(),
                (&start.container_id).into(),
                at.clone().into(),
            ],
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
                at.clone().into(),
                (&start.version).into(),
                (&start.container_id).into(),
                (&start.startup_scenario).into(),
                start.restore_scenario.as_ref().into(),
                (&start.outcome).into(),
                (&start.changes).into(),
                i64::from(start.user_id).into(),
                node.into(),
            ],
        ),
        (
            "UPDATE startup_history SET starts = starts + 1, last_at = $1 \
             WHERE id = (SELECT max(id) FROM startup_history WHERE node = $2)",
            vec![at.into(), node.into()],
        ),
        (
            "DELETE FROM startup_history WHERE node = $1 AND id NOT IN (SELECT id \
             FROM startup_history WHERE node = $1 ORDER BY id DESC LIMIT $2)",
            vec![node.into(), KEPT_ROWS.into()],
        ),
        (
            "DELETE FROM startup_history WHERE id NOT IN \
             (SELECT id FROM startup_history ORDER BY id DESC LIMIT $1)",
            vec![kept.into()],
        ),
    ])
}

/// What notes the event.
fn of_event(event: &Event) -> Result<Vec<Statement<'_>>, StoreError> {
    let name = event.kind.name();
    Ok(vec![
        (
            "INSERT INTO event (after_start, at, version, container_id, user_id, event, detail, \
             node) VALUES ((SELECT max(id) FROM startup_history), $1, $2, $3, $4, $5, $6, $7)",
            vec![
                stamp(event.at)?.into(),
                (&event.version).into(),
                (&event.container_id).into(),
                i64::from(event.user_id).into(),
                name.into(),
                (&event.detail).into(),
                (&event.node).into(),
            ],
        ),
        // Of each kind by itself: a backup each hour must not push out who set the node up.
        (
            "DELETE FROM event WHERE event = $1 AND id NOT IN \
             (SELECT id FROM event WHERE event = $1 ORDER BY id DESC LIMIT $2)",
            vec![name.into(), KEPT_ROWS.into()],
        ),
    ])
}

/// Records container, version and history row. At most `kept` rows of starts are left, of whatever
/// nodes.
pub(crate) fn record(
    tables: &Tables<'_>,
    start: &StartRecord,
    kept: i64,
) -> Result<(), StoreError> {
    carry_out(tables, "recording the start", of_start(start, kept)?)
}

/// A node of a newer version may have come in between: its record is not put back.
pub(crate) fn ensure_not_newer(
    tables: &Tables<'_>,
    recorded: Option<&str>,
    own: &str,
) -> Result<(), StoreError> {
    let parsed = |text: &str| text.parse::<Version>().ok();
    match recorded.and_then(parsed).zip(parsed(own)) {
        Some((recorded, own)) if own.precedence(&recorded).is_lt() => Err(StoreError::TakenOver {
            path: tables.name.to_string(),
            version: recorded.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Notes what a command does in this very transaction.
pub(crate) fn note(tables: &Tables<'_>, event: &Event) -> Result<(), StoreError> {
    carry_out(tables, "noting it in the history", of_event(event)?)
}

fn carry_out(
    tables: &Tables<'_>,
    doing: &'static str,
    statements: Vec<Statement<'_>>,
) -> Result<(), StoreError> {
    statements
        .iter()
        .try_for_each(|(sql, params)| tables.execute(doing, sql, params))
}

/// The statement that [`last_backup`] asks, where the schema knows of events.
pub(crate) fn last_backup_statement(
    tables: &Tables<'_>,
) -> Result<Option<&'static str>, StoreError> {
    Ok(tables.has_table("event")?.then_some(LAST_BACKUP))
}

/// When the last backup was made, as far as the history goes back.
pub(crate) fn last_backup(tables: &Tables<'_>) -> Result<Option<OffsetDateTime>, StoreError> {
    let Some(statement) = last_backup_statement(tables)? else {
        return Ok(None);
    };
    let last = tables.first(READING, statement, &[], |row| row.time(0))?;
    Ok(last.flatten())
}

/// When each node was last heard of ([`NODES`]). A row that a person may have broken is left out: that
/// of one node must not keep all others from being read, and [`read`] names it.
pub(crate) fn nodes(tables: &Tables<'_>) -> Result<Vec<NodeSeen>, StoreError> {
    let all = tables.query(READING, NODES, &[], |row| Ok(seen(row).ok()))?;
    // The newest of each stands last.
    let newest: BTreeMap<String, NodeSeen> = all
        .into_iter()
        .flatten()
        .map(|node| (node.node.clone(), node))
        .collect();
    Ok(newest.into_values().collect())
}

fn seen(row: &Row) -> Result<NodeSeen, WrongColumn> {
    Ok(NodeSeen {
        node: required(0, row.text(0)?)?,
        version: row.text(1)?.unwrap_or_default(),
        at: required(2, row.time(2)?)?,
    })
}

const STARTS: &str = "SELECT last_at, version, container_id, user_id, NULL, NULL, first_at, \
                      starts, startup_scenario, restore_scenario, outcome, changes, node, \
                      id AS turn, 0 AS later FROM startup_history";
const EVENTS: &str = "SELECT at, version, container_id, user_id, event, detail, NULL, NULL, NULL, \
                      NULL, NULL, NULL, node, coalesce(after_start, 0), id FROM event";

/// The history, newest first.
pub(crate) fn read(tables: &Tables<'_>, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
    // A schema that is behind may have starts alone, and not know who ran them, or on which node.
    let all = if !tables.has_table("event")? {
        STARTS.replace("user_id", "NULL").replace("node", "NULL")
    } else if tables.has_column("event", "node")? {
        format!("{STARTS} UNION ALL {EVENTS}")
    } else {
        format!("{STARTS} UNION ALL {EVENTS}").replace("node", "NULL")
    };
    let sql = format!("{all} ORDER BY turn DESC, later DESC LIMIT $1");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tables.query(READING, &sql, &[limit.into()], row)
}

fn row(row: &mut Row) -> Result<HistoryRow, WrongColumn> {
    let entry = match row.text(4)? {
        Some(name) => HistoryEntry::Event {
            name,
            detail: row.long_text(5)?.unwrap_or_default(),
        },
        None => HistoryEntry::Starts(starts(row)?),
    };
    let user_id = row.number(3)?.map(|number| fitting(3, number));
    Ok(HistoryRow {
        at: required(0, row.time(0)?)?,
        version: row.text(1)?.unwrap_or_default(),
        container_id: row.text(2)?.unwrap_or_default(),
        node: row.text(12)?,
        user_id: user_id.transpose()?,
        entry,
    })
}

fn starts(row: &Row) -> Result<Starts, WrongColumn> {
    Ok(Starts {
        first_at: required(6, row.time(6)?)?,
        count: fitting(7, required(7, row.number(7)?)?)?,
        startup_scenario: row.text(8)?.unwrap_or_default(),
        restore_scenario: row.text(9)?,
        outcome: row.text(10)?.unwrap_or_default(),
        changes: row.long_text(11)?.unwrap_or_default(),
    })
}
