//! The report as JSON, in the shape of the command-line contract.

use serde::Serialize;
use usecases::report::Report;

/// Version of the shape.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    exit_code: u8,
    #[serde(flatten)]
    report: &'a Report,
}

/// The report with its exit code, as one line.
#[must_use]
pub fn line(report: &Report, exit_code: u8) -> String {
    let document = Document {
        schema: SCHEMA,
        exit_code,
        report,
    };
    serde_json::to_string(&document).unwrap_or_else(|error| {
        format!(
            r#"{{"schema":{SCHEMA},"exit_code":70,"error":{{"kind":"internal","message":"{error}"}}}}"#
        )
    })
}
