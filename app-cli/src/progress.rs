//! A bar on a terminal, for what may take long.

use crate::console::Console;

const WIDTH: u64 = 30;

/// A bar; none where lines for people go to no terminal, or the report is for programs.
pub struct Progress {
    console: Console,
    shown: bool,
    percent: Option<u64>,
}

impl Progress {
    /// One that has not begun.
    #[must_use]
    pub fn new(console: Console) -> Self {
        Self {
            console,
            shown: console.shows_progress(),
            percent: None,
        }
    }

    /// So much of so much is done.
    pub fn show(&mut self, done: u64, total: u64) {
        let percent = (done * 100).checked_div(total).unwrap_or(100).min(100);
        if !self.shown || self.percent == Some(percent) {
            return;
        }
        self.percent = Some(percent);
        let full = (percent * WIDTH / 100) as usize;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH as usize - full));
        let end = if percent == 100 { "\n" } else { "" };
        self.console
            .fragment(&format!("\r       [{bar}] {percent:>3} %{end}"));
    }
}
