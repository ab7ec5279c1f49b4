//! How far something is that takes long: a bar on a terminal, a line now and then elsewhere.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ports::{Level, Output as _};

use crate::console::Console;

const WIDTH: u64 = 30;
/// How often a line says it where there is no bar.
const EVERY: Duration = Duration::from_secs(10);
/// In bytes: what is smaller is done before anybody has read that it is being done.
const SMALL: u64 = 16 << 20;

/// Shows how far work is, whichever is going on.
pub fn watch(console: Console) -> impl Fn(&'static str, u64, u64) + Send + Sync {
    let last = Mutex::new(Progress::of(""));
    let is_bar = console.shows_progress();
    move |what, done, total| {
        if total < SMALL {
            return;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.what != what {
            *last = Progress::of(what);
        }
        let percent = (done * 100).checked_div(total).unwrap_or(100).min(100);
        if is_bar {
            last.bar(console, percent);
        } else {
            last.line(console, percent);
        }
    }
}

struct Progress {
    what: &'static str,
    percent: Option<u64>,
    said: Instant,
}

impl Progress {
    fn of(what: &'static str) -> Self {
        Self {
            what,
            percent: None,
            said: Instant::now(),
        }
    }

    fn bar(&mut self, console: Console, percent: u64) {
        if self.percent == Some(percent) {
            return;
        }
        self.percent = Some(percent);
        let full = (percent * WIDTH / 100) as usize;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH as usize - full));
        let end = if percent == 100 { "\n" } else { "" };
        console.fragment(&format!("\r  {} [{bar}] {percent:>3} %{end}", self.what));
    }

    fn line(&mut self, console: Console, percent: u64) {
        if self.said.elapsed() < EVERY {
            return;
        }
        self.said = Instant::now();
        console.line(Level::Info, &format!("{}: {percent} %", self.what));
    }
}
