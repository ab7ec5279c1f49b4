//! `config show`.

use serde_json::json;

use super::Next;
use crate::config::Config;
use crate::console::Console;
use usecases::report::Report;

/// Prints the merged configuration and where each value came from.
pub fn show(config: &Config, console: Console, report: &mut Report) -> Next {
    let rows = config.rows();
    if console.is_human() {
        for (key, value, origin) in &rows {
            console.product(&format!("{key} = {value:?}  # {origin}"));
        }
    }
    let settings = rows
        .iter()
        .map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin }))
        .collect();
    report.data.insert("settings".into(), settings);
    Next::Exit
}
