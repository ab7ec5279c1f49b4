//! The PINs of the token.

use crate::{Fault, Secret};

/// Where PINs come from.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait Pins {
    /// The user PIN of the token.
    ///
    /// # Errors
    /// [`crate::FaultKind::Denied`] where there is none.
    fn user_pin(&self) -> Result<Secret, Fault>;

    /// The SO PIN of the token.
    ///
    /// # Errors
    /// [`crate::FaultKind::Denied`] where there is none.
    fn so_pin(&self) -> Result<Secret, Fault>;
}
