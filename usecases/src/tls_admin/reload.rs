//! The web server is told of a new set.

use domain::{Outcome, SetupWizardState, Step, TlsGoal};
use ports::{Reload, WebServerError, in_full};

use crate::recorder::Recorder;
use crate::report::{StepReport, StepResult};

const STEP: &str = "reload_web_server";

/// Has the web server take up the set. The set is in place whatever becomes of this: a web server
/// that does not run yet reads it when it starts.
pub fn reload(recorder: &mut Recorder<'_>) {
    if !reload_if_configured(recorder) {
        recorder.skip(
            STEP,
            "no nginx.reload is configured: where nginx runs, reload it by hand",
        );
    }
}

/// The same after a start that was typed beside a running web server and found the old token back:
/// that serves the temporary certificate of the recovery page, while the node is ready. Any other
/// start is followed by its web server.
pub fn reload_after_start(recorder: &mut Recorder<'_>) {
    let provides = Step::ProvideTls(TlsGoal::FromDatabase).name();
    let completes = Step::SetWizard(SetupWizardState::Completed).name();
    let has_done = |name: &str| {
        let is_it = |step: &StepReport| step.step == name && step.result == StepResult::Done;
        recorder.report.steps.iter().any(is_it)
    };
    let is_ready = recorder.report.outcome == Some(Outcome::Ready);
    if is_ready && has_done(provides) && has_done(completes) {
        reload_if_configured(recorder);
    }
}

/// Whether a command for it is configured.
fn reload_if_configured(recorder: &mut Recorder<'_>) -> bool {
    match recorder.node.web.server.reload() {
        Ok(Reload::Done) => recorder.note(STEP, true, "the reload command worked"),
        Ok(Reload::NotConfigured) => return false,
        Err(error) => {
            let why = in_full(&error);
            let next = match error {
                WebServerError::CannotRun { .. } => {
                    "Correct nginx.reload, and reload the web server by hand"
                }
                WebServerError::Failed { .. } => {
                    "See whether the web server runs and accepts its configuration (`nginx -t`), \
                     then reload it by hand"
                }
            };
            recorder.report.warnings.push(format!(
                "the new TLS set is in place, but nginx may still serve the old one: {why}. {next}"
            ));
            recorder.skip(STEP, &why);
        }
    }
    true
}
