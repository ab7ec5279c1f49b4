//! How far something is that may take long: a bar on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use ports::{Level, Output as _};

use crate::console::Console;

const WIDTH: u64 = 30;
/// How often a line says it where there is no bar.
const EVERY: Duration = Duration::from_secs(10);

/// A bar, or lines.
pub struct Progress {
    console: Console,
    what: &'static str,
    is_bar: bool,
    percent: Option<u64>,
    said: Instant,
}

impl Progress {
    /// One that has not begun; `what` is like "copying the database".
    #[must_use]
    pub fn new(console: Console, what: &'static str) -> Self {
        Self {
            console,
            what,
            is_bar: console.shows_progress(),
            percent: None,
            said: Instant::now(),
        }
    }

    /// So much of so much is done.
    pub fn show(&mut self, done: u64, total: u64) {
        let percent = (done * 100).checked_div(total).unwrap_or(100).min(100);
        if !self.is_bar {
            if self.said.elapsed() >= EVERY {
                self.said = Instant::now();
                let text = format!("{}: {percent} %", self.what);
                self.console.line(Level::Info, &text);
            }
            return;
        }
        if self.percent == Some(percent) {
            return;
        }
        self.percent = Some(percent);
        let full = (percent * WIDTH / 100) as usize;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH as usize - full));
        let end = if percent == 100 { "\n" } else { "" };
        self.console.fragment(&format!(
            "\r       {} [{bar}] {percent:>3} %{end}",
            self.what
        ));
    }
}
