//! The PINs of the token.

use std::error::Error;
use std::fmt;

use crate::{FaultKind, Secret};

/// A PIN that cannot be had, in the words of whoever was to have it.
#[derive(Debug)]
pub struct PinError {
    /// The kind.
    pub kind: FaultKind,
    /// Why.
    pub why: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl Error for PinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.source()
    }
}

/// Where PINs come from.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait Pins {
    /// The user PIN of the token.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    fn user_pin(&self) -> Result<Secret, PinError>;

    /// The SO PIN of the token.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    fn so_pin(&self) -> Result<Secret, PinError>;
}
