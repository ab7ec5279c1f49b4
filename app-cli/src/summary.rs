//! The end of `startup` and `status` for people: how the node is, and what to do.

use domain::{KekState, Outcome, Step, StorageType};
use ports::{CredentialOrigin, TlsSource};
use time::OffsetDateTime;
use usecases::report::{Name, Report, StepReport, StepResult, Summary};

/// A line, or what becomes some of them.
pub enum Line {
    /// How the node is, and its versions.
    Outcome(Outcome, String),
    /// A label, and the text beside it.
    Labelled(&'static str, String),
    /// The fingerprint of the certificate that Nginx has.
    Fingerprint(String),
    /// A line of its own that is never broken: it is there to be copied.
    Whole(String),
}

/// Shows the fingerprint that a browser is shown.
const COMPARE: &str =
    "openssl s_client HOST:PORT </dev/null | openssl x509 -noout -fingerprint -sha256";
const _: () = assert!(COMPARE.len() <= 80);

/// What there is to say.
#[must_use]
pub fn lines(report: &Report, now: OffsetDateTime) -> Vec<Line> {
    let mut lines = Vec::new();
    // What `tls` did stands in its steps, and what is next below.
    if let Some(outcome) = report.outcome
        && !report.command.starts_with("tls ")
    {
        lines.push(Line::Outcome(outcome, versions(report)));
    }
    if let Some(summary) = &report.summary {
        let storage = storage(summary, report.outcome);
        lines.extend(storage.map(|text| Line::Labelled("storage", text)));
        // Who asks wants to know which; a start has enough to say.
        let token = report.token.as_ref().filter(|_| report.command == "status");
        lines.extend(token.map(|token| Line::Labelled("device", token.device.to_string())));
        let backup = backup(summary, report.outcome);
        lines.extend(backup.map(|text| Line::Labelled("backup", text)));
    }
    if let Some(tls) = &report.tls {
        let origin = report.summary.as_ref().and_then(|summary| summary.origin);
        let from = match (tls.source, origin) {
            (Some(Name(TlsSource::Temporary)), _) => "temporary, ",
            (Some(Name(TlsSource::Generated)), _) | (_, Some(CredentialOrigin::Generated)) => {
                "self-signed, "
            }
            (_, Some(CredentialOrigin::Imported)) => "imported, ",
            (_, None) => "",
        };
        let validity = validity(tls.not_after, now);
        lines.push(Line::Labelled("tls", format!("{from}{validity}")));
        lines.push(Line::Fingerprint(tls.sha256_fingerprint.clone()));
    }
    if let Some(outcome) = report.outcome {
        if report.tls.is_some() && is_waiting(outcome) {
            let with = "the fingerprint with what the browser shows, or with what this prints:";
            lines.push(Line::Labelled("compare", with.to_owned()));
            lines.push(Line::Whole(COMPARE.to_owned()));
        }
        lines.extend(next(report, outcome, now).map(|text| Line::Labelled("next", text)));
    }
    lines
}

const fn is_waiting(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::SetupRequired | Outcome::RecoveryRequired)
}

/// Whether the web server was to be told of a new set, and could not be.
fn is_reload_left(report: &Report) -> bool {
    let has = |name: &str, result: StepResult| {
        let is_it = |step: &StepReport| step.step == name && step.result == result;
        report.steps.iter().any(is_it)
    };
    has("reload_web_server", StepResult::Skipped) && has("provide_tls", StepResult::Done)
}

/// Whether `status` sees what no start has seen yet: `recover` waits for that.
fn is_before_a_start(report: &Report, hsm: Option<&Summary>) -> bool {
    report.command == "status" && hsm.is_some_and(|summary| !summary.is_waiting)
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
        StorageType::PhysicalHsm if outcome == Some(Outcome::Refused) => "physical HSM".to_owned(),
        hsm @ (StorageType::SoftHsm | StorageType::PhysicalHsm) => {
            let kek = match summary.kek {
                KekState::Unwraps | KekState::OnToken => "KEK present, ",
                KekState::Absent => "KEK NOT FOUND, ",
                // With the DEK in the cache there is no need to ask for it.
                KekState::Unknown => "",
            };
            let dek = if summary.is_dek_cached {
                "DEK accessible"
            } else {
                "DEK OUT OF REACH"
            };
            let kind = if hsm == StorageType::SoftHsm {
                "SoftHSM"
            } else {
                "physical HSM"
            };
            if summary.is_for_no_token {
                return Some(format!("{kind}, wrapped for no token, {dek}"));
            }
            let label = summary.token_label.as_deref().unwrap_or("no token yet");
            format!("{kind} {label:?}, {kek}{dek}")
        }
    })
}

/// Of a node that was set up: any other has nothing that could be lost.
fn backup(summary: &Summary, outcome: Option<Outcome>) -> Option<String> {
    if !matches!(outcome, Some(Outcome::Ready | Outcome::RecoveryRequired)) {
        return None;
    }
    let last = match summary.last_backup_at {
        Some(at) => format!("last backup {}", at.date()),
        None => "no backup on record".to_owned(),
    };
    if !summary.storage.is_some_and(StorageType::is_hsm) {
        return Some(last);
    }
    let password = match (summary.has_backup_password, summary.backup_password_set_at) {
        (true, Some(at)) => format!("password set {}", at.date()),
        (true, None) => "password set".to_owned(),
        (false, _) => "NO password".to_owned(),
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

/// What a node waits for, or what its operator should not wait with.
fn next(report: &Report, outcome: Outcome, now: OffsetDateTime) -> Option<String> {
    let summary = report.summary.as_ref();
    let has_token = |summary: &&Summary| summary.storage.is_some_and(StorageType::is_hsm);
    let hsm = summary.filter(has_token);
    let has_password = hsm.is_none_or(|summary| summary.has_backup_password);
    let is_for_no_token = hsm.is_some_and(|summary| summary.is_for_no_token);
    let is_kek_gone = is_for_no_token || hsm.is_some_and(|summary| summary.kek == KekState::Absent);
    let next = match outcome {
        Outcome::SetupRequired if report.is_page_next => {
            "open the setup page in a browser; `trustpointctl setup` at a terminal does the same"
        }
        Outcome::SetupRequired => {
            "`trustpointctl setup`: at a terminal it asks for all that it needs"
        }
        Outcome::RecoveryRequired if report.is_page_next => {
            recovery_by_page(has_password, is_for_no_token)
        }
        Outcome::RecoveryRequired if is_for_no_token => {
            recovery_without_a_token(has_password, is_before_a_start(report, hsm))
        }
        Outcome::RecoveryRequired if has_password && is_before_a_start(report, hsm) => {
            "`trustpointctl startup`, and then `trustpointctl recover` with the backup password; or \
             bring the old token back"
        }
        Outcome::RecoveryRequired if has_password => {
            "`trustpointctl recover` with the backup password, or bring the old token back and \
             start again"
        }
        Outcome::RecoveryRequired => {
            "bring the old token back and start again, or restore a backup that has a backup \
             password: `trustpointctl backup restore FILE`"
        }
        Outcome::Ready if is_kek_gone && has_password => {
            "`trustpointctl keys rotate-kek`: with the next restart only the backup password has the \
             DEK"
        }
        Outcome::Ready if is_kek_gone => {
            "`trustpointctl keys rotate-kek`, NOW: the DEK is in the cache alone, and gone with \
             the next restart"
        }
        Outcome::Ready if !has_password => {
            "`trustpointctl keys set-backup-password`: without one a lost token is a lost node"
        }
        Outcome::Ready if report.tls.as_ref().is_some_and(|tls| tls.ends_soon(now)) => {
            match summary.and_then(|summary| summary.origin) {
                Some(CredentialOrigin::Imported) => {
                    "have your CA issue a new certificate: `trustpointctl tls import`"
                }
                Some(CredentialOrigin::Generated) => {
                    "`trustpointctl tls renew`: the certificate ends soon"
                }
                None => "see the warning about the certificate",
            }
        }
        // The web server starts with what there is by then.
        Outcome::Ready if report.is_start_next => "nothing: the node is started now",
        Outcome::Ready if is_reload_left(report) => {
            "where nginx runs, reload it: it still serves the certificate of before"
        }
        Outcome::Ready => "nothing: the node is ready",
        // The error says it.
        Outcome::Refused | Outcome::Failed => return None,
    };
    Some(next.to_owned())
}

/// The page looks for a token that is back.
const fn recovery_by_page(has_password: bool, is_for_no_token: bool) -> &'static str {
    match (has_password, is_for_no_token) {
        (true, true) => {
            "open the page in a browser and give the backup password; `trustpointctl recover` at a \
             terminal does the same"
        }
        (true, false) => {
            "open the page in a browser and give the backup password, or bring the old token back and \
             look again there; `trustpointctl recover` at a terminal takes the password too"
        }
        (false, false) => {
            "bring the old token back and open the page in a browser, or restore a backup that has a \
             backup password: `trustpointctl backup restore FILE`"
        }
        (false, true) => recovery_without_a_token(false, false),
    }
}

/// No token that comes back opens the DEK.
const fn recovery_without_a_token(has_password: bool, is_before_a_start: bool) -> &'static str {
    match (has_password, is_before_a_start) {
        (true, true) => {
            "`trustpointctl startup`, and then `trustpointctl recover` with the backup password"
        }
        (true, false) => "`trustpointctl recover` with the backup password",
        (false, _) => {
            "restore a backup that has a backup password: `trustpointctl backup restore FILE`"
        }
    }
}
