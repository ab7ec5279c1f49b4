//! The main job. One start reads top to bottom in [`run`]: look, open the token, select, plan, check
//! ahead, execute, record, report.

mod check_ahead;
mod execute;
mod look;
mod open_token;
mod refusal;
mod tls;
mod traces;
mod warnings;

#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::{Outcome, Plan, RestoreScenario, StartupScenario, select};

pub use look::recorded_version;
pub use open_token::{Mode, Observation, observe};
pub use tls::TlsProvider;

use crate::error::Error;
use crate::lock;
use crate::recorder::Recorder;
use crate::report::{Report, StepResult};

use check_ahead::check_ahead;
use execute::execute;
use look::look;
use open_token::open_token;

/// What is asked of a start.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Whether it is carried out, or only shown.
    pub mode: Mode,
    /// How long to wait for another start.
    pub lock_wait: Duration,
    /// Whether a new database may be made beside traces of an installed node.
    pub accept_new_database: bool,
}

/// Runs a start, or shows what it would do, and fills in the report.
///
/// # Errors
/// Why the start was refused or failed; the report has what was seen and done until then.
pub fn run(recorder: &mut Recorder<'_>, request: Request) -> Result<(), Error> {
    let node = recorder.node;
    let program = &node.settings.app_version;
    recorder.report.version.current = Some(program.to_string());
    let _lock = match request.mode {
        Mode::CarryOut => Some(lock::acquire_local(node, request.lock_wait)?),
        Mode::DryRun | Mode::Status => {
            lock::ensure_own_directories(node)?;
            None
        }
    };
    // After the lock is held: the start that had it may have changed everything.
    let mut looked = look(node)?;
    // A ready node takes no lock of what nodes share: it leaves that as it is. The token is not asked
    // twice, so this is decided by what the database and the files say.
    let _shared = match request.mode {
        Mode::CarryOut if node.store.is_shared() && looked.may_change_shared(node) => {
            let lock = lock::acquire_shared(node, request.lock_wait)?;
            looked = look(node)?;
            lock
        }
        Mode::CarryOut | Mode::DryRun | Mode::Status => None,
    };
    let seen = open_token(node, looked, request.mode, request.accept_new_database)?;
    recorder.report.set_observed(&seen.observed, &seen.warnings);
    recorder.report.token = seen.token.as_ref().map(Into::into);
    let record = seen.record.as_ref();
    recorder.report.set_summary(&seen.observed, record);

    let selection = select(&seen.observed, program);
    let plan = Plan::of(&seen.observed, selection);
    recorder.report.set_selection(selection, plan.is_err());
    let plan = plan.map_err(|refusal| refusal::refused(node, &seen.observed, refusal))?;
    node.host.output.debug(&announce(recorder.report));
    recorder.report.outcome = Some(plan.outcome);
    let warnings = warnings::standing(node, &seen);
    recorder.report.warnings.extend(warnings);

    // A dry run and `status` say as well what a start would fail with.
    check_ahead(node, &seen, &plan, request.mode)?;

    note_token(recorder, &seen, request.mode);
    if request.mode == Mode::CarryOut {
        execute(recorder, &seen, selection, &plan)?;
        // What a command that was killed has left to be done.
        if record.is_some_and(|record| record.is_scrub_due) {
            recorder.scrub_now_or_later();
        }
        return Ok(());
    }
    for step in &plan.steps {
        recorder.push(step.name(), StepResult::Planned, step.intent());
    }
    let (set, problem) = tls::standing(node)?;
    recorder.report.tls = set;
    if plan.outcome == Outcome::Ready {
        // Any other node gets its certificate from the next start.
        recorder.report.warnings.extend(problem);
    }
    Ok(())
}

/// How the node is after a command that changed it, at a glance. What cannot be seen now says the
/// next start: the command has done its work.
pub fn summarise(recorder: &mut Recorder<'_>) {
    let node = recorder.node;
    let program = &node.settings.app_version;
    if let Ok(seen) = observe(node, Mode::Status, false) {
        let record = seen.record.as_ref();
        recorder.report.set_summary(&seen.observed, record);
        recorder.report.version.current = Some(program.to_string());
    }
}

/// What was done with the token before anything was decided.
fn note_token(recorder: &mut Recorder<'_>, seen: &Observation, mode: Mode) {
    let Some(answered) = &seen.hsm else { return };
    let is_ready = recorder.report.outcome == Some(Outcome::Ready);
    if mode != Mode::CarryOut {
        recorder.push(
            "check_hsm",
            StepResult::Planned,
            "check that the HSM answers",
        );
        if is_ready {
            let intent = "load the KEK and unwrap the DEK";
            recorder.push("unwrap_dek", StepResult::Planned, intent);
        }
        return;
    }
    let token = match &seen.token {
        Some(token) => format!("token {:?}, serial {}", token.label, token.serial),
        None => format!("no token {:?}", recorder.node.settings.token_label),
    };
    recorder.note("check_hsm", false, &format!("{answered}; {token}"));
    match &seen.dek {
        _ if !is_ready => {}
        Some(dek) if dek.unwrapped => {
            recorder.note("unwrap_dek", false, "the KEK unwraps the DEK");
        }
        Some(_) | None => recorder.skip(
            "unwrap_dek",
            "the KEK is not on the token; the DEK is the one in the cache",
        ),
    }
}

fn announce(report: &Report) -> String {
    let names = [
        report.startup_scenario.map(StartupScenario::name),
        report.restore_scenario.map(RestoreScenario::name),
    ];
    let names: Vec<_> = names.into_iter().flatten().collect();
    format!(
        "{}: {}",
        names.join(", "),
        report.description.as_deref().unwrap_or_default()
    )
}
