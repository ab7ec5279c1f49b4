//! The end of `startup` and `status` for people: how the node is, and what to do.

use domain::{KekState, Outcome, Step, StorageType};
use ports::CredentialOrigin;
use time::OffsetDateTime;
use usecases::report::{Report, StepReport, StepResult, Summary};

/// A line, or what becomes some of them.
pub enum Line {
    /// A label, and the text beside it.
    Labelled(&'static str, String),
    /// A line of its own that is never broken: it is there to be copied or compared.
    Whole(String),
}

/// Shows the fingerprint that a browser is shown.
const COMPARE: &str =
    "openssl s_client HOST:443 </dev/null | openssl x509 -noout -fingerprint -sha256";
const _: () = assert!(COMPARE.len() <= 80);

/// What there is to say.
#[must_use]
pub fn lines(report: &Report, now: OffsetDateTime) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(outcome) = report.outcome {
        lines.push(Line::Labelled(outcome.name(), versions(report)));
    }
    if let Some(summary) = &report.summary {
        let storage = storage(summary, report.outcome);
        lines.extend(storage.map(|text| Line::Labelled("storage", text)));
        let backup = backup(summary, report.outcome);
        lines.extend(backup.map(|text| Line::Labelled("backup", text)));
    }
    if let Some(tls) = &report.tls {
        let origin = report.summary.as_ref().and_then(|summary| summary.origin);
        let from = match (tls.source, origin) {
            (Some("temporary"), _) => "temporary, ",
            (_, Some(CredentialOrigin::Imported)) => "imported, ",
            (_, Some(CredentialOrigin::Generated)) => "self-signed, ",
            (_, None) => "",
        };
        let validity = validity(tls.not_after, now);
        lines.push(Line::Labelled("tls", format!("{from}{validity}")));
        let fingerprint = &tls.sha256_fingerprint;
        lines.push(Line::Whole(format!("SHA-256 fingerprint: {fingerprint}")));
    }
    if let Some(outcome) = report.outcome {
        lines.extend(next(outcome).map(|text| Line::Labelled("next", text.to_owned())));
        if report.tls.is_some() && is_waiting(outcome) {
            let by = "what a browser or this shows:".to_owned();
            lines.push(Line::Labelled("compare with", by));
            lines.push(Line::Whole(COMPARE.to_owned()));
        }
    }
    lines
}

const fn is_waiting(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::SetupRequired | Outcome::RecoveryRequired)
}

fn versions(report: &Report) -> String {
    let Some(program) = report.version.current.as_deref() else {
        return String::new();
    };
    let is_recorded = |step: &StepReport| step.step == Step::RecordStart.name();
    let recorded = report.steps.iter().find(|step| is_recorded(step));
    let database = match recorded.map(|step| step.result) {
        Some(StepResult::Done) => Some(program),
        _ => report.version.database.as_deref(),
    };
    match (database, &report.summary) {
        (Some(database), _) => format!("Trustpoint {program} on a database of {database}"),
        (None, Some(summary)) if !summary.has_database => {
            format!("Trustpoint {program}, and no database yet")
        }
        (None, _) => format!("Trustpoint {program} on a database that no start has recorded"),
    }
}

fn storage(summary: &Summary, outcome: Option<Outcome>) -> Option<String> {
    Some(match summary.storage? {
        // What a start wrote where nothing was configured; nobody has chosen it.
        StorageType::Software if outcome == Some(Outcome::SetupRequired) => {
            "not chosen yet: setup asks for it".to_owned()
        }
        StorageType::Software => "software: private keys stand in the database".to_owned(),
        StorageType::PhysicalHsm => "physical HSM".to_owned(),
        StorageType::SoftHsm => {
            let kek = match summary.kek {
                KekState::Unwraps => "KEK present",
                KekState::OnToken => "KEK present, not tried",
                KekState::Absent => "KEK MISSING",
                KekState::Unknown => "KEK not looked for",
            };
            let dek = if summary.is_dek_cached {
                "DEK cached"
            } else {
                "DEK not cached"
            };
            let label = summary.token_label.as_deref().unwrap_or("no token yet");
            format!("SoftHSM {label:?}, {kek}, {dek}")
        }
    })
}

/// Of a node that was set up: any other has nothing that could be lost.
fn backup(summary: &Summary, outcome: Option<Outcome>) -> Option<String> {
    if !matches!(outcome, Some(Outcome::Ready | Outcome::RecoveryRequired)) {
        return None;
    }
    let last = match summary.last_backup_at {
        Some(at) => format!("last made {}", at.date()),
        None => "none noted yet: `trustpointctl backup create FILE`".to_owned(),
    };
    if summary.storage != Some(StorageType::SoftHsm) {
        return Some(last);
    }
    let password = match (summary.has_backup_password, summary.backup_password_set_at) {
        (true, Some(at)) => format!("password set {}", at.date()),
        (true, None) => "password set".to_owned(),
        (false, _) => {
            "NO password: set one with `trustpointctl keys set-backup-password`".to_owned()
        }
    };
    Some(format!("{password}; {last}"))
}

fn validity(not_after: OffsetDateTime, now: OffsetDateTime) -> String {
    let days = (not_after - now).whole_days();
    let until = not_after.date();
    if not_after < now {
        format!("valid until {until}: it has ENDED")
    } else {
        format!("valid until {until} ({days} days)")
    }
}

/// What a node waits for, or that it waits for nothing.
const fn next(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Ready => Some("nothing: the node is ready"),
        Outcome::SetupRequired => {
            Some("`trustpointctl setup --storage softhsm`, or `--storage software` without a token")
        }
        Outcome::RecoveryRequired => Some(
            "`trustpointctl recover` with the backup password, or bring the old token back and \
             start again",
        ),
        // The error says it.
        Outcome::Refused | Outcome::Failed => None,
    }
}
