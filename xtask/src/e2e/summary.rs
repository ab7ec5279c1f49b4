//! How the stories ended.

use std::time::Duration;

use super::story::Story;
use crate::run::Result;

/// How a story ended.
pub struct Ended {
    pub story: &'static Story,
    pub result: Result<()>,
    pub time: Duration,
}

/// How much of a failure the end shows: a log may be kept without its beginning.
const LINES: usize = 12;

/// The table at the end, and why stories failed.
pub fn table(ended: &[Ended]) -> String {
    let mut text = String::from("\nresult  story                   time\n");
    for row in ended {
        let result = if row.result.is_ok() { "ok" } else { "FAILED" };
        text.push_str(&format!(
            "{result:<6}  {:>2} {:<16}  {:>7.1} s  {}\n",
            row.story.number,
            row.story.name,
            row.time.as_secs_f64(),
            row.story.what
        ));
    }
    for row in ended {
        let Err(message) = &row.result else { continue };
        text.push_str(&format!("\nFAILED {}: ", row.story.name));
        for line in message.lines().take(LINES) {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}
