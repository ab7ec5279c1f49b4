//! Standard output and standard error, for people or for programs.

use std::io::{IsTerminal as _, Write as _};

use ports::{Level, Output};

use super::{ErrorReport, Report, StepReport, StepResult};
use crate::cli::{Color, Format, Global};
use crate::doctor::{Check, Verdict};

/// Where lines and the report go.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    format: Format,
    color: Colored,
    verbose: bool,
    /// Standard output is not for reports.
    stdout_taken: bool,
}

/// Which stream is coloured: one may be a terminal and the other a file.
#[derive(Clone, Copy, Debug, Default)]
struct Colored {
    stdout: bool,
    stderr: bool,
}

impl Console {
    /// As the global options ask for.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = |is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !no_color && is_terminal,
        };
        Self {
            format: global.format,
            color: Colored {
                stdout: color(std::io::stdout().is_terminal()),
                stderr: color(std::io::stderr().is_terminal()),
            },
            verbose: global.verbose,
            stdout_taken: false,
        }
    }

    /// Standard output is for something else: what would go there goes to standard error.
    #[must_use]
    pub fn leaving_stdout(mut self, taken: bool) -> Self {
        self.stdout_taken = taken;
        if taken {
            self.color.stdout = self.color.stderr;
        }
        self
    }

    /// Whether lines for people go to a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        if self.stdout_taken {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        }
    }

    /// Text for people that is no line of its own. A terminal that is gone must not stop the work.
    pub fn fragment(&self, text: &str) {
        if self.stdout_taken {
            let _ = write!(std::io::stderr().lock(), "{text}");
        } else {
            let mut terminal = std::io::stdout().lock();
            let _ = write!(terminal, "{text}");
            let _ = terminal.flush();
        }
    }

    /// A line of the report, or for people.
    fn out(&self, line: &str) {
        if self.stdout_taken {
            to_stderr(line);
        } else {
            to_stdout(line);
        }
    }

    /// Without colour, for a command line that did not parse.
    #[must_use]
    pub fn plain(format: Format) -> Self {
        Self {
            format,
            color: Colored::default(),
            verbose: false,
            stdout_taken: false,
        }
    }

    /// Writes only the report's error, to standard error: the report itself is out already.
    pub fn error_only(&self, report: &Report) {
        let Some(error) = &report.error else {
            return;
        };
        match self.format {
            Format::Human => self.error(error),
            Format::Json => to_stderr(&serde_json::json!({ "error": error }).to_string()),
        }
    }

    /// Writes the report: in JSON the one object on standard output, for people what the progress
    /// lines have not said yet.
    pub fn report(&self, report: &Report) {
        match self.format {
            Format::Json => self.out(&report.to_json()),
            Format::Human => self.for_people(report),
        }
    }

    /// Writes text that is the command's product, such as a completion script.
    pub fn product(&self, text: &str) {
        self.out(text.trim_end_matches('\n'));
    }

    /// Whether the format is for people.
    #[must_use]
    pub fn is_human(&self) -> bool {
        self.format == Format::Human
    }

    /// A step that is planned or was carried out.
    pub fn step(&self, step: &StepReport) {
        match self.format {
            Format::Json => {
                if let Ok(line) = serde_json::to_string(step) {
                    to_stderr(&line);
                }
            }
            Format::Human => {
                let (mark, style) = match step.result {
                    StepResult::Planned => ("would", "36"),
                    StepResult::Done => ("done", "32"),
                    StepResult::Unchanged => ("ok", "32"),
                    StepResult::Skipped => ("skip", "2"),
                    StepResult::Failed => ("FAIL", "31"),
                };
                let mark = self.paint(&format!("{mark:>5}"), style);
                self.out(&format!("{mark}  {}: {}", step.step, step.detail));
            }
        }
    }

    /// A check of `doctor`.
    pub fn check(&self, check: &Check) {
        let style = match check.verdict {
            Verdict::Pass => "32",
            Verdict::Warn => "33",
            Verdict::Fail(_) => "31",
        };
        let mark = self.paint(check.verdict.name(), style);
        self.out(&format!("{mark}  {}: {}", check.name, check.detail));
        if !check.hint.is_empty() {
            self.out(&format!(
                "      {} {}",
                self.paint("hint:", "36"),
                check.hint
            ));
        }
    }

    fn for_people(&self, report: &Report) {
        for warning in &report.warnings {
            self.out(&format!("{} {warning}", self.paint("warning:", "33")));
        }
        if let Some(tls) = &report.tls {
            self.out(&format!(
                "TLS server certificate ({}), valid until {}",
                tls.source.unwrap_or("of another source"),
                tls.not_after
            ));
            self.out(&format!("SHA-256 fingerprint: {}", tls.sha256_fingerprint));
        }
        if let Some(error) = &report.error {
            self.error(error);
        } else if let Some(outcome) = report.outcome {
            self.out(&format!("outcome: {}", self.paint(outcome, "1")));
        }
    }

    fn error(&self, error: &ErrorReport) {
        let error_mark = paint(self.color.stderr, "error:", "31");
        to_stderr(&format!("{error_mark} {}", error.message));
        for cause in &error.causes {
            to_stderr(&format!("  caused by: {cause}"));
        }
        let hint_mark = paint(self.color.stderr, "hint:", "36");
        to_stderr(&format!("{hint_mark} {}", error.hint));
    }

    fn paint(&self, text: &str, style: &str) -> String {
        paint(self.color.stdout, text, style)
    }
}

fn paint(colored: bool, text: &str, style: &str) -> String {
    if colored {
        format!("\u{1b}[{style}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

impl Output for Console {
    fn line(&self, level: Level, line: &str) {
        if level == Level::Debug && !self.verbose {
            return;
        }
        match self.format {
            Format::Json => {
                let name = match level {
                    Level::Debug => "debug",
                    Level::Info => "info",
                    Level::Success => "success",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                to_stderr(&serde_json::json!({ "level": name, "message": line }).to_string());
            }
            Format::Human => match level {
                Level::Debug | Level::Info => self.out(line),
                Level::Success => self.out(&self.paint(line, "32")),
                Level::Warning => self.out(&self.paint(line, "33")),
                Level::Error => to_stderr(&paint(self.color.stderr, line, "31")),
            },
        }
    }
}

/// A closed standard output must not stop a start: the line is dropped.
fn to_stdout(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_keeps_the_contract() {
        for format in [Format::Human, Format::Json] {
            ports::contract::surroundings::output(&Console::plain(format));
        }
    }
}
