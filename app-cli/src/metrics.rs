//! The last start as an OpenMetrics text, for the textfile collector of a node exporter.
//!
//! Format: <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>.

use std::fmt::Write as _;

use adapters_fs::durable;
use domain::{Outcome, RestoreScenario, StorageType};
use ports::FaultKind;
use time::OffsetDateTime;
use usecases::error::Error;
use usecases::report::Report;

use crate::cli::{Command, StartupArgs};

/// Writes them where a start was asked to, however it ended; but not of one that found another at
/// work, which says nothing of the node. A file that cannot be written must not fail a node that is
/// up: it is warned about.
pub fn keep(command: &Command, report: &mut Report) {
    if let Command::Startup(arguments) = command {
        keep_of_start(arguments, report);
    }
}

/// The same of a start, which may go on with a page.
pub fn keep_of_start(arguments: &StartupArgs, report: &mut Report) {
    let Some(file) = &arguments.metrics_file else {
        return;
    };
    let error = report.error.as_ref();
    if error.is_some_and(|error| error.kind == FaultKind::Busy) {
        return;
    }
    let text = text(report, OffsetDateTime::now_utc());
    // Readable by all: a node exporter runs as another user, and nothing in it is secret.
    if let Err(error) = durable::write_atomic(file, text.as_bytes(), 0o644) {
        let why = Error::from(error).in_full();
        let warning = format!("the metrics could not be written to {file}: {why}");
        report.warnings.push(warning);
    }
}

/// Every value that the report has; what is not known has none.
fn text(report: &Report, now: OffsetDateTime) -> String {
    let mut text = Text(String::new());
    let outcome = "trustpoint_start_outcome";
    text.family(outcome, "How the last start ended: 1 at its outcome.");
    for each in Outcome::ALL {
        let value = u8::from(report.outcome == Some(each));
        text.value(&format!("{outcome}{{outcome=\"{}\"}}", each.name()), value);
    }
    if let Some(startup) = report.startup_scenario {
        let scenario = "trustpoint_start_scenario";
        text.family(scenario, "What the last start selected.");
        let restore = report.restore_scenario.map_or("", RestoreScenario::name);
        let name = format!("{scenario}{{startup=\"{startup}\",restore=\"{restore}\"}}");
        text.value(&name, 1);
    }
    text.gauge(
        "trustpoint_start_timestamp_seconds",
        "When the last start ended.",
        now.unix_timestamp(),
    );
    if let Some(tls) = &report.tls {
        text.gauge(
            "trustpoint_certificate_not_after_timestamp_seconds",
            "When the TLS server certificate that Nginx has ends.",
            tls.not_after.unix_timestamp(),
        );
        text.gauge(
            "trustpoint_certificate_days_left",
            "Whole days until then; negative once it is over.",
            (tls.not_after - now).whole_days(),
        );
    }
    if let Some(summary) = &report.summary
        && summary.storage.is_some_and(StorageType::is_hsm)
    {
        text.gauge(
            "trustpoint_backup_password_set",
            "Whether a backup password can bring the DEK back.",
            u8::from(summary.has_backup_password),
        );
        text.gauge(
            "trustpoint_dek_cached",
            "Whether the DEK was accessible.",
            u8::from(summary.is_dek_cached),
        );
    }
    let summary = report.summary.as_ref();
    if let Some(last) = summary.and_then(|summary| summary.last_backup_at) {
        text.gauge(
            "trustpoint_last_backup_timestamp_seconds",
            "When the last backup was made.",
            last.unix_timestamp(),
        );
        text.gauge(
            "trustpoint_last_backup_age_seconds",
            "How long ago that was when the last start ended.",
            (now - last).whole_seconds(),
        );
    }
    text.0.push_str("# EOF\n");
    text.0
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} gauge\n# HELP {name} {help}");
    }

    fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, help);
        self.value(name, value);
    }
}
