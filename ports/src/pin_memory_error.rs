//! What can go wrong with the ledger of PIN tries.

use std::time::Duration;

use crate::{FaultKind, FileError};

/// What can go wrong with the ledger of PIN tries.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum PinMemoryError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process holds it.
    #[error(
        "another process has kept the ledger of PIN tries {path} for longer than {} s: it is \
         logging in to a token",
        waited.as_secs_f64()
    )]
    Busy { path: String, waited: Duration },
    /// What it holds cannot be right.
    #[error("the ledger of PIN tries {path} cannot be trusted: {why}")]
    Untrusted { path: String, why: String },
    /// What is to be kept of a PIN does not fit into a line.
    #[error("the hash of a rejected PIN is not one line of printable text")]
    NoHash,
}

impl PinMemoryError {
    /// The kind; a hash that does not fit is a defect of this program.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Busy { .. } => FaultKind::Busy,
            Self::Untrusted { .. } => FaultKind::DataCorrupt,
            Self::NoHash => FaultKind::Internal,
        }
    }
}
