//! `history`.

use ports::HistoryRow;
use serde_json::{Value, json};

use super::Next;
use crate::cli::HistoryArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::wire::{Access, wire};
use usecases::history;
use usecases::report::{Report, rfc3339};

/// What each start selected and did, newest first.
///
/// # Errors
/// The database cannot be read.
pub fn run(
    config: &Config,
    arguments: &HistoryArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let node = wire(config, Access::ReadOnly, Box::new(console))?;
    let rows = history::rows(&node, arguments.limit)?;
    if console.is_human() {
        for row in &rows {
            console.product(&line(row));
        }
        if rows.is_empty() {
            console.product("no start has ended yet");
        }
    }
    report
        .data
        .insert("history".into(), rows.iter().map(value).collect());
    Ok(Next::Exit)
}

fn line(row: &HistoryRow) -> String {
    let often = if row.starts > 1 {
        format!(
            " (the last of {} equal ones since {})",
            row.starts,
            rfc3339(row.first_at)
        )
    } else {
        String::new()
    };
    let restore = row
        .restore_scenario
        .as_deref()
        .map(|name| format!(", {name}"));
    let changes = if row.changes.is_empty() {
        "nothing"
    } else {
        row.changes.as_str()
    };
    format!(
        "{}{often}: {}{} -> {}; version {}, container {}; changed: {changes}",
        rfc3339(row.last_at),
        row.startup_scenario,
        restore.unwrap_or_default(),
        row.outcome,
        row.version,
        row.container_id,
    )
}

fn value(row: &HistoryRow) -> Value {
    json!({
        "first_at": rfc3339(row.first_at),
        "last_at": rfc3339(row.last_at),
        "starts": row.starts,
        "version": row.version,
        "container_id": row.container_id,
        "startup_scenario": row.startup_scenario,
        "restore_scenario": row.restore_scenario,
        "outcome": row.outcome,
        "changes": row.changes.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>(),
    })
}
