//! Standard output and standard error, for people or for programs.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use ports::{Fault, FaultKind, Level, Output};

use usecases::doctor::{Check, Verdict};
use usecases::node::Node;
use usecases::recorder::Recorder;
use usecases::report::{ErrorReport, Report, StepReport, StepResult};

use crate::cli::{Color, Format, Global};
use crate::json;
use crate::visible::visible;

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

    fn say(&self, line: &Line) {
        self.out(&line.0);
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

    /// Writes only an error, to standard error: the report itself is out already, or lost.
    pub fn error_only(&self, error: &ErrorReport) {
        match self.format {
            Format::Human => self.error(error),
            Format::Json => to_stderr(&serde_json::json!({ "error": error }).to_string()),
        }
    }

    /// Writes the report: in JSON the one object on standard output, for people what the progress
    /// lines have not said yet.
    pub fn report(&self, report: &Report, exit_code: u8) {
        match self.format {
            Format::Json => self.out(&json::line(report, exit_code)),
            Format::Human => self.for_people(report),
        }
    }

    /// Writes a line that is the command's product.
    pub fn product(&self, text: &str) {
        self.say(&Line::of(text));
    }

    /// Writes text of this program's own as it is, such as a completion script.
    pub fn script(&self, text: &str) {
        to_stdout(text.trim_end_matches('\n'));
    }

    /// Whether the format is for people.
    #[must_use]
    pub fn is_human(&self) -> bool {
        self.format == Format::Human
    }

    /// Records the steps of a command in its report, and shows each as it ends.
    pub fn recorder<'a>(self, node: &'a Node, report: &'a mut Report) -> Recorder<'a> {
        Recorder::new(node, report, move |step| self.step(step))
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
                let text = format!("  {}: {}", step.step, step.detail);
                self.say(&self.marked(&format!("{mark:>5}"), style, &text));
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
        let text = format!("  {}: {}", check.name, check.detail);
        self.say(&self.marked(check.verdict.name(), style, &text));
        if !check.hint.is_empty() {
            let hint = format!(" {}", check.hint);
            self.say(&self.marked("      hint:", "36", &hint));
        }
    }

    fn for_people(&self, report: &Report) {
        for warning in &report.warnings {
            self.say(&self.marked("warning:", "33", &format!(" {warning}")));
        }
        if let Some(tls) = &report.tls {
            self.say(&Line::of(&format!(
                "TLS server certificate ({}), valid until {}",
                tls.source.unwrap_or("of another source"),
                tls.not_after
            )));
            let fingerprint = format!("SHA-256 fingerprint: {}", tls.sha256_fingerprint);
            self.say(&Line::of(&fingerprint));
        }
        if let Some(error) = &report.error {
            self.error(error);
        } else if let Some(outcome) = report.outcome {
            let outcome = paint(self.color.stdout, outcome.name(), "1");
            self.say(&Line(format!("outcome: {outcome}")));
        }
    }

    fn error(&self, error: &ErrorReport) {
        let marked = |mark, style, text: &str| {
            let text = format!(" {text}");
            Line::marked(self.color.stderr, mark, style, &text)
        };
        to_stderr(&marked("error:", "31", &error.message).0);
        for cause in &error.causes {
            to_stderr(&Line::of(&format!("  caused by: {cause}")).0);
        }
        to_stderr(&marked("hint:", "36", &error.hint).0);
    }

    fn marked(&self, mark: &str, style: &str, text: &str) -> Line {
        Line::marked(self.color.stdout, mark, style, text)
    }
}

/// A line for people: nothing in it steers the terminal but our own colours.
struct Line(String);

impl Line {
    fn of(text: &str) -> Self {
        Self(visible(text))
    }

    /// A word of ours in colour, then the text.
    fn marked(colored: bool, mark: &str, style: &str, text: &str) -> Self {
        Self(paint(colored, mark, style) + &visible(text))
    }

    fn painted(colored: bool, text: &str, style: &str) -> Self {
        Self(paint(colored, &visible(text), style))
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
                    Level::Warning => "warning",
                };
                to_stderr(&serde_json::json!({ "level": name, "message": line }).to_string());
            }
            Format::Human => match level {
                Level::Debug | Level::Info => self.say(&Line::of(line)),
                Level::Warning => self.say(&Line::painted(self.color.stdout, line, "33")),
            },
        }
    }
}

/// Why a line could not be written to standard output: the first of this process.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// What of the output was lost, asked when all is said. A line that cannot be written must not stop
/// a start half way, and must not be passed over either.
#[must_use]
pub fn unwritten() -> Option<Fault> {
    note(std::io::stdout().flush());
    let why = UNWRITTEN.get()?;
    Some(
        Fault::new(
            FaultKind::Io,
            "what this command had to say could not be written to standard output",
            "free space where standard output goes, or see why its reader went away; what the \
             command did is done",
        )
        .because(why.clone()),
    )
}

fn note(written: std::io::Result<()>) {
    if let Err(error) = written {
        UNWRITTEN.get_or_init(|| error.to_string());
    }
}

fn to_stdout(line: &str) {
    note(writeln!(std::io::stdout().lock(), "{line}"));
}

/// Where even this cannot be written, the exit code is all that is left.
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
