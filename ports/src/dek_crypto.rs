//! What is done with a DEK outside the token: its check value, the backup password (C17), and
//! opening what it seals.

use crate::{BackupWrappedDek, CryptoError, Dek, SealedKey, Secret};

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
