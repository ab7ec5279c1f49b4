//! The report as JSON, in the shape of the command-line contract, and the lines of the log.

use domain::{Outcome, RestoreScenario, StartupScenario};
use ports::Level;
use serde::Serialize;
use time::OffsetDateTime;
use usecases::report::own::Own;
use usecases::report::{
    ContextReport, ErrorReport, FoundToken, Moment, Name, Report, StepReport, TlsReport,
    VersionReport,
};

/// Version of the shape.
pub const SCHEMA: u32 = 2;

/// What every report has.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document<'a, O> {
    /// Version of the shape of reports. Within it no field is renamed, and none is taken away.
    schema: u32,
    /// The command.
    command: &'a str,
    /// When the report was written: RFC 3339, UTC, whole seconds.
    time: Moment,
    /// What the command ended with; null where it did its work and has no such outcome.
    outcome: Option<Name<Outcome>>,
    /// The exit code of the process.
    exit_code: u8,
    #[serde(flatten)]
    own: O,
    /// The steps, in their order.
    steps: &'a [StepReport],
    /// What has to be dealt with, one text each; for people.
    warnings: &'a [String],
    /// Why the command failed or was refused; null where it did its work.
    error: Option<&'a ErrorReport>,
}

/// What only a start has, all of it, be it null.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Start<'a> {
    /// What the first table selected; null where the command failed before.
    startup_scenario: Option<Name<StartupScenario>>,
    /// What the second table selected; null where it was not asked.
    restore_scenario: Option<Name<RestoreScenario>>,
    /// What the scenarios mean; null where none was selected. For people.
    description: Option<&'a str>,
    /// The versions that were compared.
    version: &'a VersionReport,
    /// What selection used; null where the command failed before.
    context: Option<&'a ContextReport>,
    /// The token that wraps the DEK; null where it was not found, or nobody looked.
    token: Option<&'a FoundToken>,
    /// The TLS set that Nginx has; null where it has none, or nobody looked.
    tls: Option<&'a TlsReport>,
}

/// What another command has.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Other<'a, O> {
    #[serde(flatten)]
    own: O,
    /// The TLS set that Nginx has; absent where the command did not get to it, or it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "TlsReport"))]
    tls: Option<&'a TlsReport>,
}

/// A line of the log: when, how it is meant, and what it says.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLine<'a> {
    /// When it was written: RFC 3339, UTC, whole seconds.
    time: Moment,
    /// How it is meant.
    level: LogLevel,
    #[serde(flatten)]
    event: Event<'a>,
}

/// How a line of the log is meant.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something has to be dealt with.
    Warning,
    /// Something was done, or would be.
    Info,
    /// More about how it was done.
    Debug,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warning => Self::Warning,
        }
    }
}

/// What a line of the log says.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Event<'a> {
    /// A step ended, or would be taken.
    Step(&'a StepReport),
    /// A text for people.
    Message {
        /// The text.
        message: &'a str,
    },
    /// The command failed, or could not say what it had to.
    Error {
        /// The failure.
        error: &'a ErrorReport,
    },
}

/// A line of the log; none where it has no form in JSON.
pub fn log_line(level: LogLevel, event: Event<'_>) -> Option<String> {
    let time = now();
    serde_json::to_string(&LogLine { time, level, event }).ok()
}

/// The report with its exit code, as one line.
#[must_use]
pub fn line(report: &Report, exit_code: u8) -> String {
    let text = if matches!(report.command.as_str(), "startup" | "status") {
        serde_json::to_string(&document(report, exit_code, start(report)))
    } else {
        serde_json::to_string(&document(report, exit_code, other(report)))
    };
    text.unwrap_or_else(|error| {
        format!(
            r#"{{"schema":{SCHEMA},"exit_code":70,"error":{{"kind":"internal","message":"{error}"}}}}"#
        )
    })
}

fn document<O>(report: &Report, exit_code: u8, own: O) -> Document<'_, O> {
    Document {
        schema: SCHEMA,
        command: &report.command,
        time: now(),
        outcome: report.outcome.map(Name),
        exit_code,
        own,
        steps: &report.steps,
        warnings: &report.warnings,
        error: report.error.as_ref(),
    }
}

fn start(report: &Report) -> Start<'_> {
    Start {
        startup_scenario: report.startup_scenario.map(Name),
        restore_scenario: report.restore_scenario.map(Name),
        description: report.description.as_deref(),
        version: &report.version,
        context: report.context.as_ref(),
        token: report.token.as_ref(),
        tls: report.tls.as_ref(),
    }
}

fn other(report: &Report) -> Other<'_, Option<&Own>> {
    Other {
        own: report.own.as_ref(),
        tls: report.tls.as_ref(),
    }
}

fn now() -> Moment {
    Moment(OffsetDateTime::now_utc())
}
