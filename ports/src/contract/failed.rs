//! An error of any port, for tests that compare kinds.

use std::fmt;

use crate::{
    AssetError, BackupError, CryptoError, DekCacheError, FaultKind, FileError, LockError,
    PinMemoryError, StoreError, TlsError, TokenError, WebServerError, WizardError, causes,
};

/// What can be compared of an error of any port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    kind: FaultKind,
    message: String,
    causes: Vec<String>,
}

impl Failed {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The messages of the errors below it, outermost first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

macro_rules! failed {
    ($($error:ty)*) => {
        $(impl From<$error> for Failed {
            fn from(error: $error) -> Self {
                Self {
                    kind: error.kind(),
                    message: error.to_string(),
                    causes: causes(&error),
                }
            }
        })*
    };
}

failed!(
    AssetError BackupError CryptoError DekCacheError FileError LockError PinMemoryError StoreError
    TlsError TokenError WebServerError WizardError
);

/// How a call failed that must fail.
///
/// # Panics
/// Panics if it worked.
pub fn failed<T, E: Into<Failed>>(result: Result<T, E>) -> Failed {
    match result {
        Ok(_) => panic!("the call worked, and it must not"),
        Err(error) => error.into(),
    }
}
