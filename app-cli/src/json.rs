//! The report as JSON, in the shape of the command-line contract.

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use usecases::report::{Report, rfc3339};

/// Version of the shape.
const SCHEMA: u32 = 2;

/// What every report has.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    command: &'a str,
    time: String,
    outcome: Option<&'static str>,
    exit_code: u8,
    #[serde(flatten)]
    own: Map<String, Value>,
    steps: Value,
    warnings: &'a [String],
    error: Value,
}

/// A line of the log: when, how it is meant, and what it says.
#[derive(Serialize)]
struct LogLine<'a, T> {
    time: String,
    level: &'a str,
    #[serde(flatten)]
    fields: T,
}

/// A line of the log; none where the fields have no form in JSON.
pub fn log_line(level: &str, fields: impl Serialize) -> Option<String> {
    let time = rfc3339(OffsetDateTime::now_utc());
    let line = LogLine {
        time,
        level,
        fields,
    };
    serde_json::to_string(&line).ok()
}

/// The report with its exit code, as one line.
#[must_use]
pub fn line(report: &Report, exit_code: u8) -> String {
    document(report, exit_code).unwrap_or_else(|error| {
        format!(
            r#"{{"schema":{SCHEMA},"exit_code":70,"error":{{"kind":"internal","message":"{error}"}}}}"#
        )
    })
}

fn document(report: &Report, exit_code: u8) -> serde_json::Result<String> {
    serde_json::to_string(&Document {
        schema: SCHEMA,
        command: &report.command,
        time: rfc3339(OffsetDateTime::now_utc()),
        outcome: report.outcome.map(domain::Outcome::name),
        exit_code,
        own: own(report)?,
        steps: serde_json::to_value(&report.steps)?,
        warnings: &report.warnings,
        error: serde_json::to_value(&report.error)?,
    })
}

/// What this command has beside: a start all of its fields, be they null, the others what they
/// have to say.
fn own(report: &Report) -> serde_json::Result<Map<String, Value>> {
    let mut own = report.data.clone();
    let tls = serde_json::to_value(&report.tls)?;
    if matches!(report.command.as_str(), "startup" | "status") {
        let start = json!({
            "startup_scenario": report.startup_scenario,
            "restore_scenario": report.restore_scenario,
            "description": report.description,
            "version": report.version,
            "context": report.context,
            "tls": tls,
        });
        if let Value::Object(start) = start {
            own.extend(start);
        }
    } else if report.tls.is_some() {
        own.insert("tls".to_owned(), tls);
    }
    Ok(own)
}
