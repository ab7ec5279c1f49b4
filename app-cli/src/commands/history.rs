//! `history`.

use ports::{HistoryEntry, HistoryRow, Starts};

use super::Next;
use crate::cli::HistoryArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::screen;
use crate::wire::{Access, wire};
use usecases::history;
use usecases::report::own::{self, HistoryReport, Own};
use usecases::report::{Moment, Report, rfc3339};

/// What each start selected and did, and what commands did, newest first.
///
/// # Errors
/// The database cannot be read.
pub fn run(
    config: &Config,
    arguments: &HistoryArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let node = wire(config, Access::ReadOnly, console)?;
    let rows = history::rows(&node.store, arguments.limit)?;
    if console.is_human() {
        for row in &rows {
            for line in lines(row) {
                console.product(&line);
            }
        }
        if rows.is_empty() {
            console.product("nothing has happened yet");
        }
    }
    report.own = Some(Own::History(own::History {
        history: rows.iter().map(value).collect(),
    }));
    Ok(Next::Exit)
}

/// When, what it was or how it ended, and who did it; below it the rest.
fn lines(row: &HistoryRow) -> Vec<String> {
    let (what, below) = match &row.entry {
        HistoryEntry::Starts(starts) => (starts.outcome.clone(), start_lines(starts)),
        HistoryEntry::Event { name, detail } => (name.replace('_', " "), detail_lines(detail)),
    };
    let by = row
        .user_id
        .map_or(String::new(), |id| format!(", user {id}"));
    let at = rfc3339(row.at);
    // By default a node is called as its container is.
    let node = row.node.as_deref().filter(|node| *node != row.container_id);
    let node = node.map_or(String::new(), |node| format!(", node {node}"));
    let first = format!(
        "{at}  {what:21}  {}, {}{node}{by}",
        row.version, row.container_id
    );
    std::iter::once(first).chain(below).collect()
}

fn detail_lines(detail: &str) -> Vec<String> {
    match detail {
        "" => Vec::new(),
        detail => screen::beside("", 2, detail),
    }
}

fn start_lines(starts: &Starts) -> Vec<String> {
    let mut scenarios = vec![starts.startup_scenario.as_str()];
    scenarios.extend(starts.restore_scenario.as_deref());
    let changes = match starts.changes.as_str() {
        "" => "nothing".to_owned(),
        changes => changes.replace(',', ", "),
    };
    let mut lines = Vec::new();
    if starts.count > 1 {
        let since = rfc3339(starts.first_at);
        lines.push(format!("  {} starts since {since}", starts.count));
    }
    lines.extend(screen::beside("", 2, &scenarios.join(", ")));
    lines.extend(screen::beside("", 2, &format!("changed: {changes}")));
    lines
}

/// What belongs to starts alone is null in a row of anything else, and the other way round.
fn value(row: &HistoryRow) -> HistoryReport {
    let (starts, event) = match &row.entry {
        HistoryEntry::Starts(starts) => (Some(starts), None),
        HistoryEntry::Event { name, detail } => (None, Some((name, detail))),
    };
    let changes = starts.map(|starts| {
        let names = starts.changes.split(',').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    });
    HistoryReport {
        event: event.map_or("start", |(name, _)| name).to_owned(),
        result: starts.map_or("done", |starts| &starts.outcome).to_owned(),
        detail: event.map(|(_, detail)| detail.clone()),
        first_at: Moment(starts.map_or(row.at, |starts| starts.first_at)),
        last_at: Moment(row.at),
        version: row.version.clone(),
        container_id: row.container_id.clone(),
        node: row.node.clone(),
        user_id: row.user_id,
        starts: starts.map(|starts| starts.count),
        startup_scenario: starts.map(|starts| starts.startup_scenario.clone()),
        restore_scenario: starts.and_then(|starts| starts.restore_scenario.clone()),
        outcome: starts.map(|starts| starts.outcome.clone()),
        changes,
    }
}
