//! `history`.

use ports::HistoryRow;
use serde_json::{Value, json};

use super::Next;
use crate::cli::HistoryArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::screen;
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
    let rows = history::rows(&node.store, arguments.limit)?;
    if console.is_human() {
        for row in &rows {
            for line in lines(row) {
                console.product(&line);
            }
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

/// When, how it ended and with which version; below it why, and what was changed.
fn lines(row: &HistoryRow) -> Vec<String> {
    let mut scenarios = vec![row.startup_scenario.as_str()];
    scenarios.extend(row.restore_scenario.as_deref());
    let changes = match row.changes.as_str() {
        "" => "nothing".to_owned(),
        changes => changes.replace(',', ", "),
    };
    let mut lines = vec![format!(
        "{}  {:17}  {}, {}",
        rfc3339(row.last_at),
        row.outcome,
        row.version,
        row.container_id
    )];
    if row.starts > 1 {
        let often = format!("  {} starts since {}", row.starts, rfc3339(row.first_at));
        lines.push(often);
    }
    lines.extend(screen::beside("", 2, &scenarios.join(", ")));
    lines.extend(screen::beside("", 2, &format!("changed: {changes}")));
    lines
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
