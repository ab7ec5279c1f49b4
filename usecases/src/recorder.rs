//! The one recorder of steps: what a command did, for its report and for whoever watches.

use domain::SetupWizardState;
use ports::{EventKind, StoreError};

use crate::error::Error;
use crate::node::Node;
use crate::report::{Report, StepReport, StepResult};

/// Records the steps of a command.
pub struct Recorder<'a> {
    /// The node.
    pub node: &'a Node,
    /// The report.
    pub report: &'a mut Report,
    on_step: Box<dyn FnMut(&StepReport) + 'a>,
}

impl<'a> Recorder<'a> {
    /// Records in this report; `on_step` hears of each step as it ends.
    pub fn new(
        node: &'a Node,
        report: &'a mut Report,
        on_step: impl FnMut(&StepReport) + 'a,
    ) -> Self {
        Self {
            node,
            report,
            on_step: Box::new(on_step),
        }
    }

    /// Notes a step that was not needed, or could not be taken without harm.
    pub fn skip(&mut self, step: &str, detail: &str) {
        self.push(step, StepResult::Skipped, detail);
    }

    /// Notes a step that ended.
    pub fn note(&mut self, step: &str, changed: bool, detail: &str) {
        let result = if changed {
            StepResult::Done
        } else {
            StepResult::Unchanged
        };
        self.push(step, result, detail);
    }

    /// Notes a step with its result.
    pub fn push(&mut self, step: &str, result: StepResult, detail: &str) {
        let step = StepReport {
            step: step.to_owned(),
            result,
            detail: detail.to_owned(),
        };
        (self.on_step)(&step);
        self.report.steps.push(step);
    }

    /// Takes out of the database's file what was removed, where that is due.
    ///
    /// # Errors
    /// The database.
    pub fn scrub(&mut self) -> Result<(), StoreError> {
        self.node.store.record.scrub()?;
        self.note(
            "scrub_database",
            true,
            "the file holds nothing of what was removed",
        );
        Ok(())
    }

    /// The same where it may wait: a node is ready without it, and its next start tries again.
    pub fn scrub_now_or_later(&mut self) {
        if let Err(fault) = self.scrub() {
            let why = ports::in_full(&fault);
            self.report.warnings.push(format!(
                "free parts of the database's file may still hold what was removed from it: {why}; \
                 the next start tries again"
            ));
        }
    }

    /// Moves the wizard.
    ///
    /// # Errors
    /// The state directory.
    pub fn go_to(&mut self, state: SetupWizardState) -> Result<(), Error> {
        let moved = self.node.host.wizard.go_to(state)?;
        self.note("set_wizard_state", moved, state.name());
        Ok(())
    }

    /// Completes setup.
    ///
    /// # Errors
    /// The state directory or the database.
    pub fn complete(&mut self) -> Result<(), Error> {
        let moved = complete(self.node, false)?;
        let state = SetupWizardState::Completed;
        self.note("set_wizard_state", moved, state.name());
        Ok(())
    }
}

/// Completes setup, in the one order there is (ADR 4): the file first, then the mark. Whether the
/// file changed. A mark that is known to be set is not set again.
///
/// # Errors
/// The state directory or the database.
pub fn complete(node: &Node, is_marked: bool) -> Result<bool, Error> {
    let moved = node.host.wizard.go_to(SetupWizardState::Completed)?;
    if !is_marked {
        let event = node.event(EventKind::SetUp, "");
        node.store.record.mark_setup_completed(&event)?;
    }
    Ok(moved)
}
