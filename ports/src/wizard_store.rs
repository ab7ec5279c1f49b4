//! The wizard's state directory (C8).

use domain::SetupWizardState;

use crate::{FaultKind, FileError};

/// What can go wrong with the wizard's state.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum WizardError {
    /// The directory or its file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory does not say one state.
    #[error("the wizard state directory {directory} {problem}: {}", names.join(", "))]
    NotOneState {
        directory: String,
        problem: &'static str,
        names: Vec<String>,
    },
    /// The one file of the directory has none of the thirteen names.
    #[error("the wizard state directory {directory} holds a file that is no wizard state: {name}")]
    UnknownState { directory: String, name: String },
    /// A move that [`SetupWizardState::may_move`] forbids.
    #[error(
        "the wizard may not go from {} to {to}",
        from.map_or("an empty directory", SetupWizardState::name)
    )]
    ForbiddenMove {
        from: Option<SetupWizardState>,
        to: SetupWizardState,
    },
}

impl WizardError {
    /// The kind; a forbidden move is a defect of this program.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::NotOneState { .. } | Self::UnknownState { .. } => FaultKind::DataCorrupt,
            Self::ForbiddenMove { .. } => FaultKind::Internal,
        }
    }
}

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
    /// MUST be [`WizardError::UnknownState`] for one file whose name is none of the thirteen, and
    /// [`WizardError::NotOneState`] for more than one file.
    fn read(&self) -> Result<WizardDirectory, WizardError>;

    /// Goes to `to` by one atomic, durable change: every reader and every crash sees the old state
    /// or the new one. `false` where it is the state already. MUST create the directory where it is
    /// missing, and MUST rename one file of an unknown name as if there were none.
    ///
    /// # Errors
    /// MUST be [`WizardError::ForbiddenMove`] where [`SetupWizardState::may_move`] forbids it; else
    /// as [`WizardStore::read`].
    fn go_to(&self, to: SetupWizardState) -> Result<bool, WizardError>;

    /// Whether a move could be made now, asked before the first change of a start: rights, in the
    /// directory or the nearest one above it that exists. Changes nothing.
    ///
    /// # Errors
    /// What the move would fail with.
    fn check_writable(&self) -> Result<(), WizardError>;

    /// The directory, for messages.
    fn directory(&self) -> String;
}
