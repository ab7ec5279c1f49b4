//! What is done with a DEK outside the token: its check value, the backup password (C17), and
//! opening what it seals.

use crate::{BackupWrappedDek, Cause, Dek, FaultKind, SealedKey, Secret};

/// What can go wrong with a DEK outside the token.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// A primitive, or the system's random generator.
    #[error("{doing} failed")]
    Failed {
        /// What was being done, like "wrapping the DEK".
        doing: &'static str,
        /// Why, where it was said.
        source: Option<Cause>,
    },
    /// A private key could not be sealed.
    #[error("sealing the private key of {fingerprint} failed")]
    SealingFailed {
        /// The fingerprint of its certificate.
        fingerprint: String,
    },
    /// The wrong password, or a blob that was altered: one cannot be told from the other.
    #[error("the backup password does not open the DEK")]
    WrongPassword,
    /// What no password can open.
    #[error("the DEK under the backup password {why}")]
    WrongBlob {
        /// What is wrong with it.
        why: String,
        /// More of it, where there is more to say.
        source: Option<Cause>,
    },
    /// A sealed private key that this DEK does not open.
    #[error(
        "the sealed private key of the TLS credential {fingerprint} does not open under this \
         node's DEK: it was altered, moved from another row, or sealed under another DEK"
    )]
    KeyDoesNotOpen {
        /// The fingerprint of its certificate.
        fingerprint: String,
    },
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

/// Cryptography with a DEK.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait DekCrypto {
    /// A value that is the same for the same DEK and tells nothing about it: whether a cached or
    /// unwrapped DEK is the one that seals this database.
    fn check_value(&self, dek: &Dek) -> Vec<u8>;

    /// A new random DEK of the system's generator.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] where the generator fails.
    fn generate(&self) -> Result<Dek, CryptoError>;

    /// Wraps with AES-256-GCM under an Argon2id key (64 MiB, 3 passes, 1 lane) over a random
    /// 16-byte salt, unwraps what came out and compares. One derivation.
    ///
    /// # Errors
    /// [`CryptoError::Failed`] where a primitive fails.
    fn wrap_with_password(
        &self,
        dek: &Dek,
        password: &Secret,
    ) -> Result<BackupWrappedDek, CryptoError>;

    /// Whether the blob can be one at all, whatever the password: asked without a derivation.
    ///
    /// # Errors
    /// MUST be [`CryptoError::WrongBlob`] where [`DekCrypto::unwrap_with_password`] would be for
    /// every password.
    fn examine(&self, blob: &BackupWrappedDek) -> Result<(), CryptoError>;

    /// Unwraps, with the salt and parameters that stand in the blob. One derivation.
    ///
    /// # Errors
    /// MUST be [`CryptoError::WrongPassword`] for a wrong password (which cannot be told from an
    /// altered blob), [`CryptoError::WrongBlob`] for a blob that is cut, of an unknown format, or
    /// whose parameters are beyond what this program makes.
    fn unwrap_with_password(
        &self,
        blob: &BackupWrappedDek,
        password: &Secret,
    ) -> Result<Dek, CryptoError>;

    /// Opens a private key that is sealed under the DEK: PKCS#8 as PEM.
    ///
    /// # Errors
    /// MUST be [`CryptoError::KeyDoesNotOpen`] for one that was altered, moved from another
    /// installation or certificate, or sealed under another DEK.
    fn open_key(&self, dek: &Dek, key: &SealedKey) -> Result<Secret, CryptoError>;
}
