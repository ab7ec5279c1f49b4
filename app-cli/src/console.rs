//! Standard output and standard error, for people or for programs.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use domain::{Outcome, Step};
use ports::{FaultKind, Level, Output};
use time::OffsetDateTime;
use usecases::doctor::{Check, Group, Verdict};
use usecases::node::Node;
use usecases::recorder::Recorder;
use usecases::report::{ErrorReport, Report, StepReport, StepResult, rfc3339};

use crate::cli::{Color, Format, Global};
use crate::failure::Failure;
use crate::json::{self, Event, LogLevel};
use crate::line::{Line, Look};
use crate::visible::visible;
use crate::{screen, summary};

const BOLD: Style = Style::new().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIMMED: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Columns of what stands before a line of the summary.
const LABEL: usize = 19;
/// Columns of a check's verdict.
const MARK: usize = 6;

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What was done.
    Normal,
    /// What did not have to be done as well.
    Verbose,
    /// The same, each line with its time.
    Timed,
}

/// Where lines and the report go.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// The report.
    format: Format,
    /// What is said while a command runs, and its error.
    log: Format,
    streams: Streams,
    verbosity: Verbosity,
    /// Standard output is not for reports.
    stdout_taken: bool,
}

/// Each stream for itself: one may be a terminal and the other a file.
#[derive(Clone, Copy, Debug, Default)]
struct Streams {
    stdout: Look,
    stderr: Look,
}

impl Console {
    /// As the global options ask for.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let no_color =
            std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb();
        let look = |is_terminal: bool| Look {
            is_colored: match global.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => !no_color && is_terminal,
            },
            is_wrapped: is_terminal,
        };
        Self {
            format: global.format,
            log: global.log_format.unwrap_or(global.format),
            streams: Streams {
                stdout: look(std::io::stdout().is_terminal()),
                stderr: look(std::io::stderr().is_terminal()),
            },
            verbosity: match (global.quiet, global.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, 0) => Verbosity::Normal,
                (false, 1) => Verbosity::Verbose,
                (false, _) => Verbosity::Timed,
            },
            stdout_taken: false,
        }
    }

    /// Standard output is for something else: what would go there goes to standard error.
    #[must_use]
    pub fn leaving_stdout(mut self, taken: bool) -> Self {
        self.stdout_taken = taken;
        self
    }

    /// The same for who looks again and again: warnings and errors alone.
    #[must_use]
    pub fn quietly(mut self) -> Self {
        self.verbosity = Verbosity::Quiet;
        self
    }

    /// Whether lines for people go to a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.look().is_wrapped
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

    /// Of the stream that lines for people go to.
    fn look(&self) -> Look {
        if self.stdout_taken {
            self.streams.stderr
        } else {
            self.streams.stdout
        }
    }

    fn say(&self, line: &Line) {
        for shown in line.shown(self.look()) {
            self.out(&shown);
        }
    }

    fn say_to_stderr(&self, line: &Line) {
        for shown in line.shown(self.streams.stderr) {
            to_stderr(&shown);
        }
    }

    /// Without colour, for a command line that did not parse.
    #[must_use]
    pub fn plain(format: Format, log: Format) -> Self {
        Self {
            format,
            log,
            streams: Streams::default(),
            verbosity: Verbosity::Normal,
            stdout_taken: false,
        }
    }

    /// Says what has to be known whatever the verbosity is.
    pub fn always(&self, text: &str) {
        match self.log {
            Format::Json => log(LogLevel::Info, Event::Message { message: text }),
            Format::Human => self.progress(Line::of(text).whole()),
        }
    }

    /// Writes only an error, to standard error: the report itself is out already, or lost.
    pub fn error_only(&self, error: &ErrorReport) {
        match self.log {
            Format::Human => self.error(error),
            Format::Json => log(LogLevel::Error, Event::Error { error }),
        }
    }

    /// Writes the report: in JSON the one object on standard output, for people what the progress
    /// lines have not said yet.
    pub fn report(&self, report: &Report, exit_code: u8) {
        match self.format {
            Format::Json => {
                self.out(&json::line(report, exit_code));
                if let (Format::Human, Some(error)) = (self.log, &report.error) {
                    self.error(error);
                }
            }
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

    /// Whether a person may be shown how far something is.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.is_human()
            && self.log == Format::Human
            && self.verbosity > Verbosity::Quiet
            && self.is_terminal()
            && !is_dumb()
    }

    /// Records the steps of a command in its report, and shows each as it ends.
    pub fn recorder<'a>(self, node: &'a Node, report: &'a mut Report) -> Recorder<'a> {
        Recorder::new(node, report, move |step| self.step(step))
    }

    /// The same, without the steps that are only planned: they are told by `--verbose`.
    pub fn quiet_recorder<'a>(self, node: &'a Node, report: &'a mut Report) -> Recorder<'a> {
        let shows = self.verbosity >= Verbosity::Verbose || self.log == Format::Json;
        Recorder::new(node, report, move |step| {
            if shows {
                self.step(step);
            }
        })
    }

    /// A step that is planned or was carried out.
    pub fn step(&self, step: &StepReport) {
        let has_failed = step.result == StepResult::Failed;
        if self.verbosity == Verbosity::Quiet && !has_failed {
            return;
        }
        match self.log {
            Format::Json => {
                let level = if has_failed {
                    LogLevel::Error
                } else {
                    LogLevel::Info
                };
                log(level, Event::Step(step));
            }
            Format::Human if is_idle(step) && self.verbosity < Verbosity::Verbose => {}
            Format::Human => {
                let (mark, style) = match step.result {
                    StepResult::Planned => ("would", CYAN),
                    StepResult::Done => ("done", GREEN),
                    StepResult::Unchanged => ("ok", GREEN),
                    StepResult::Skipped => ("skip", DIMMED),
                    StepResult::Failed => ("FAIL", RED),
                };
                let text = format!("  {}: {}", step.step, step.detail);
                self.progress(Line::marked(&format!("{mark:>5}"), style, &text));
            }
        }
    }

    /// A line while the command runs: standard output may be for a report in JSON alone.
    fn progress(&self, line: Line) {
        let timed = match self.verbosity {
            Verbosity::Timed => line.after(&format!("{}  ", rfc3339(OffsetDateTime::now_utc()))),
            _ => line,
        };
        match self.format {
            Format::Human => self.say(&timed),
            Format::Json => self.say_to_stderr(&timed),
        }
    }

    /// The checks of `doctor`, each with what to do about it: first those that did not pass.
    pub fn checks(&self, checks: &[(&Check, String)]) {
        let names = checks.iter().map(|(check, _)| check.name.len());
        let indent = MARK + names.max().unwrap_or_default() + 2;
        let show = |check: &Check, style: Style| {
            let head = format!("{:MARK$}{}", check.verdict.name(), check.name);
            let lines = screen::beside(&head, indent, &visible(&check.detail));
            for line in lines {
                // The mark is the first word of its line.
                self.say(&match line.strip_prefix(check.verdict.name()) {
                    Some(rest) => Line::marked(check.verdict.name(), style, rest),
                    None => Line::of(&line),
                });
            }
        };
        let (passed, not): (Vec<_>, Vec<_>) = checks
            .iter()
            .partition(|(check, _)| check.verdict == Verdict::Pass);
        for (check, hint) in &not {
            let is_warning = check.verdict == Verdict::Warn;
            show(check, if is_warning { YELLOW } else { RED });
            for line in screen::beside("", indent, &visible(&format!("hint: {hint}"))) {
                self.say(&Line::of(&line));
            }
        }
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        for group in Group::ALL {
            let of_group = passed.iter().filter(|(check, _)| check.group == group);
            for (number, (check, _)) in of_group.enumerate() {
                if number == 0 {
                    self.say(&Line::marked(group.name(), BOLD, ""));
                }
                show(check, GREEN);
            }
        }
        let warnings = not
            .iter()
            .filter(|(check, _)| check.verdict == Verdict::Warn);
        let warnings = warnings.count();
        let plural = if warnings == 1 { "" } else { "s" };
        self.say(&Line::of(&format!(
            "{} passed, {warnings} warning{plural}, {} failed",
            passed.len(),
            not.len() - warnings
        )));
    }

    fn for_people(&self, report: &Report) {
        // The rest was said before the page that then failed.
        if let (true, Some(error)) = (report.is_page_next, &report.error) {
            return self.error_only(error);
        }
        let idle = report.steps.iter().filter(|step| is_idle(step));
        let idle: Vec<&str> = idle.map(|step| step.step.as_str()).collect();
        let tells_idle = self.verbosity == Verbosity::Normal && self.log == Format::Human;
        if tells_idle && !idle.is_empty() {
            let text = format!("  {} (nothing to do)", idle.join(", "));
            self.say(&Line::marked("   ok", GREEN, &text).wrapped());
        }
        for warning in &report.warnings {
            if self.log == Format::Json {
                log(LogLevel::Warning, Event::Message { message: warning });
                continue;
            }
            self.say(&Line::marked("warning:", YELLOW, &format!(" {warning}")));
        }
        if let Some(error) = &report.error {
            return self.error_only(error);
        }
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let lines = summary::lines(report, OffsetDateTime::now_utc());
        if self.is_terminal() && !lines.is_empty() && !report.steps.is_empty() {
            self.say(&Line::of(""));
        }
        for line in lines {
            match line {
                summary::Line::Outcome(outcome, text) => {
                    let style = match outcome {
                        Outcome::Ready => GREEN,
                        Outcome::SetupRequired | Outcome::RecoveryRequired => YELLOW,
                        Outcome::Refused | Outcome::Failed => RED,
                    };
                    self.labelled(outcome.name(), style.bold(), &text);
                }
                summary::Line::Labelled(label, text) => self.labelled(label, BOLD, &text),
                summary::Line::Fingerprint(text) => self.fingerprint(&text),
                summary::Line::Whole(text) => self.say(&Line::of(&text).whole()),
            }
        }
    }

    /// A label, and the text beside it in lines that fit.
    fn labelled(&self, label: &str, style: Style, text: &str) {
        for (number, line) in screen::beside("", LABEL, text).iter().enumerate() {
            let beside = line.get(LABEL..).unwrap_or_default();
            let text = match (number, beside) {
                (0, "") => String::new(),
                (0, text) => format!("{:1$}{text}", "", LABEL.saturating_sub(label.len())),
                _ => line.clone(),
            };
            let label = if number == 0 { label } else { "" };
            self.say(&Line::marked(label, style, &text).whole());
        }
    }

    /// In two rows at a terminal, where it would be broken in the middle of a byte; in one
    /// elsewhere, where it is searched for.
    fn fingerprint(&self, text: &str) {
        /// Of 16 bytes, each with its colon.
        const ROW: usize = 48;
        match text.split_at_checked(ROW) {
            Some(rows) if self.is_terminal() => {
                self.labelled("SHA-256", BOLD, rows.0);
                self.labelled("", BOLD, rows.1);
            }
            _ => self.say(&Line::of(&format!("SHA-256 fingerprint: {text}"))),
        }
    }

    fn error(&self, error: &ErrorReport) {
        let message = format!(" {}", error.message);
        self.say_to_stderr(&Line::marked("error:", RED, &message));
        for cause in &error.causes {
            let cause = format!(" {cause}");
            self.say_to_stderr(&Line::marked("  caused by:", Style::new(), &cause));
        }
        self.say_to_stderr(&Line::marked("hint:", CYAN, &format!(" {}", error.hint)));
    }
}

/// Whether the terminal says of itself that it shows text alone.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// What proves or announces something changes nothing, and is worth a line all the same.
const PROOFS: [&str; 3] = ["announce_recovery", "unwrap_dek", "verify_backup_password"];

/// Whether nothing was to be done: such steps are told together, at the end.
fn is_idle(step: &StepReport) -> bool {
    if PROOFS.contains(&step.step.as_str()) {
        return false;
    }
    let is_asset = [Step::CollectStaticFiles, Step::CompileMessages]
        .iter()
        .any(|asset| asset.name() == step.step);
    match step.result {
        StepResult::Unchanged => true,
        // None are configured.
        StepResult::Skipped => is_asset,
        StepResult::Planned | StepResult::Done | StepResult::Failed => false,
    }
}

impl Output for Console {
    fn line(&self, level: Level, line: &str) {
        let least = match level {
            Level::Debug => Verbosity::Verbose,
            Level::Info => Verbosity::Normal,
            Level::Warning => Verbosity::Quiet,
        };
        if self.verbosity < least {
            return;
        }
        match self.log {
            Format::Json => log(level.into(), Event::Message { message: line }),
            Format::Human => self.progress(match level {
                Level::Debug | Level::Info => Line::of(line),
                Level::Warning => Line::marked("warning:", YELLOW, &format!(" {line}")),
            }),
        }
    }
}

/// Why a line could not be written to standard output: the first of this process.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// What of the output was lost, asked when all is said. A line that cannot be written must not stop
/// a start half way, and must not be passed over either.
#[must_use]
pub fn unwritten() -> Option<Failure> {
    note(std::io::stdout().flush());
    let why = UNWRITTEN.get()?;
    Some(
        Failure::new(
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

/// A line of the log for programs.
fn log(level: LogLevel, event: Event<'_>) {
    if let Some(line) = json::log_line(level, event) {
        to_stderr(&line);
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
            ports::contract::surroundings::output(&Console::plain(format, format));
        }
    }
}
