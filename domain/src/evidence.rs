//! Traces of an installed node beside a missing database (C14).

use std::fmt;

use crate::{InstallationId, SetupWizardState};

/// Something that only a node that was set up leaves behind. Where the database is missing and one
/// of these is there, a volume was probably not mounted, and a new database would hide that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trace {
    /// The wizard says that setup was completed.
    Wizard {
        /// The state.
        state: SetupWizardState,
        /// Where it stands.
        directory: String,
    },
    /// Snapshots of a database.
    Snapshots {
        /// How many.
        count: usize,
        /// Where the newest stands.
        newest: String,
    },
    /// This project's marker on the configured token.
    TokenMarker {
        /// Label of the token.
        label: String,
        /// Serial number of the token.
        serial: String,
        /// The installation that set the token up.
        installation: InstallationId,
    },
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wizard { state, directory } => {
                write!(f, "the wizard state in {directory} is {state}")
            }
            Self::Snapshots { count, newest } => {
                write!(
                    f,
                    "there are {count} database snapshot(s), the newest is {newest}"
                )
            }
            Self::TokenMarker {
                label,
                serial,
                installation,
            } => write!(
                f,
                "the token {label:?} (serial {serial}) belongs to installation {installation}, \
                 as its marker says"
            ),
        }
    }
}
