//! `config show`.

use super::Next;
use crate::config::Config;
use crate::console::Console;
use usecases::report::Report;
use usecases::report::own::{ConfigShow, Own, SettingReport};

/// Prints the merged configuration and where each value came from.
pub fn show(config: &Config, console: Console, report: &mut Report) -> Next {
    let rows = config.rows();
    if console.is_human() {
        for (key, value, origin) in &rows {
            console.product(&format!("{key} = {value:?}  # {origin}"));
        }
    }
    let settings = rows
        .into_iter()
        .map(|(key, value, origin)| SettingReport { key, value, origin })
        .collect();
    report.own = Some(Own::ConfigShow(ConfigShow { settings }));
    Next::Exit
}
