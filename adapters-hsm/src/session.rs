//! A session on a token.

use std::fmt;

use cryptoki::session::{Session, SessionState};
use ports::{Fault, FaultKind, WrapFormat};

use crate::classify::{Operation, fault};

/// The session in which the user logs in, and is from then on.
pub(crate) struct UserSession {
    pub(crate) session: Session,
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) format: Option<WrapFormat>,
}

impl fmt::Display for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {:?} (serial {})", self.label, self.serial)
    }
}

impl UserSession {
    /// Sees that the user is still logged in. Without that a token shows no private keys, and
    /// none of them would look like "no KEK" (C3).
    pub(crate) fn check_login(&self) -> Result<(), Fault> {
        let info = self.session.get_session_info().map_err(|error| {
            fault(
                Operation::Other,
                format!("the session on the {self} is gone"),
                error,
            )
        })?;
        match info.session_state() {
            SessionState::RoUser | SessionState::RwUser => Ok(()),
            SessionState::RoPublic | SessionState::RwPublic | SessionState::RwSecurityOfficer => {
                Err(Fault::new(
                    FaultKind::HsmUnavailable,
                    format!("the {self} has forgotten the login"),
                    "start again; this says nothing about the keys on the token",
                ))
            }
        }
    }
}
