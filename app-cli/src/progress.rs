//! A bar on a terminal, for what may take long.

use std::io::{IsTerminal as _, Write as _};

use crate::console::Console;

const WIDTH: u64 = 30;

/// A bar on standard output; none where that is no terminal, or the report is for programs.
pub struct Progress {
    shown: bool,
    percent: Option<u64>,
}

impl Progress {
    /// One that has not begun.
    #[must_use]
    pub fn new(console: Console) -> Self {
        Self {
            shown: console.is_human() && std::io::stdout().is_terminal(),
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
        let mut terminal = std::io::stdout().lock();
        // A terminal that is gone must not stop the work.
        let _ = write!(terminal, "\r       [{bar}] {percent:>3} %{end}");
        let _ = terminal.flush();
    }
}
