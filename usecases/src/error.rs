//! Why a use case ended: an error of one of its ports, or a refusal of its own.

use ports::{
    AssetError, BackupError, CryptoError, DekCacheError, FaultKind, FileError, LockError, PinError,
    StoreError, TlsError, TokenError, WizardError,
};

use crate::refused::Refused;

/// Why a use case ended. It holds no secret.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[expect(
    missing_docs,
    reason = "each variant is the error of the port it names"
)]
pub enum Error {
    File(#[from] FileError),
    Lock(#[from] LockError),
    Store(#[from] StoreError),
    Backup(#[from] BackupError),
    Token(#[from] TokenError),
    Pin(#[from] PinError),
    Crypto(#[from] CryptoError),
    DekCache(#[from] DekCacheError),
    Wizard(#[from] WizardError),
    Tls(#[from] TlsError),
    Assets(#[from] AssetError),
    /// No port failed: what was found is not gone on with.
    Refused(Box<Refused>),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl Error {
    /// The kind, which gives the exit code.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Lock(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Backup(error) => error.kind(),
            Self::Token(error) => error.kind(),
            Self::Pin(error) => error.kind,
            Self::Crypto(error) => error.kind(),
            Self::DekCache(error) => error.kind(),
            Self::Wizard(error) => error.kind(),
            Self::Tls(error) => error.kind(),
            Self::Assets(error) => error.kind(),
            Self::Refused(refused) => refused.kind(),
        }
    }

    /// The message with those of its causes behind it.
    #[must_use]
    pub fn in_full(&self) -> String {
        ports::in_full(self)
    }
}
