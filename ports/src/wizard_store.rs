//! The wizard's state directory (C8).

use domain::SetupWizardState;

use crate::Fault;

/// What the directory holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WizardDirectory {
    /// No directory, or an empty one.
    Empty,
    /// One file with one of the thirteen names.
    State(SetupWizardState),
}

impl WizardDirectory {
    /// The state, where there is one.
    #[must_use]
    pub const fn state(self) -> Option<SetupWizardState> {
        match self {
            Self::Empty => None,
            Self::State(state) => Some(state),
        }
    }
}

/// The wizard's state.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait WizardStore {
    /// Reads the state; changes nothing.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::DataCorrupt`] with the names listed for a name that is none of
    /// the thirteen and for more than one file; as [`Fault::io`] has it for a directory that
    /// cannot be read.
    fn read(&self) -> Result<WizardDirectory, Fault>;

    /// Goes to `to` by one atomic, durable change: every reader and every crash sees the old state
    /// or the new one. `false` where it is the state already. MUST create the directory where it is
    /// missing.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::Internal`] for a move that
    /// [`SetupWizardState::may_move`] forbids; else as [`WizardStore::read`].
    fn go_to(&self, to: SetupWizardState) -> Result<bool, Fault>;

    /// Whether a move could be made now, asked before the first change of a start: rights, in the
    /// directory or the nearest one above it that exists. Changes nothing.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn check_writable(&self) -> Result<(), Fault>;

    /// The directory, for messages.
    fn directory(&self) -> String;
}
