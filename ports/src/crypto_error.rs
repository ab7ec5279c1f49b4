//! What can go wrong with a DEK outside the token.

use std::error::Error;

use crate::FaultKind;

/// What a library has said, without its type.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Something that cannot be done with a DEK outside the token.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum CryptoError {
    /// A primitive, or the system's random generator.
    #[error("{doing} failed")]
    Failed {
        doing: &'static str,
        source: Option<Cause>,
    },
    /// A private key could not be sealed.
    #[error("sealing the private key of {fingerprint} failed")]
    SealingFailed { fingerprint: String },
    /// The wrong password, or a blob that was altered: one cannot be told from the other.
    #[error("the backup password does not open the DEK")]
    WrongPassword,
    /// What no password can open.
    #[error("the DEK under the backup password {why}")]
    WrongBlob { why: String, source: Option<Cause> },
    /// A sealed private key that this DEK does not open.
    #[error(
        "the sealed private key of the TLS credential {fingerprint} does not open under this \
         node's DEK: it was altered, moved from another row, or sealed under another DEK"
    )]
    KeyDoesNotOpen { fingerprint: String },
}

impl CryptoError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Failed { .. } | Self::SealingFailed { .. } => FaultKind::Internal,
            Self::WrongPassword => FaultKind::Denied,
            Self::WrongBlob { .. } | Self::KeyDoesNotOpen { .. } => FaultKind::DataCorrupt,
        }
    }
}
