//! A session on a token.

use std::fmt;

use cryptoki::session::{Session, SessionState};
use ports::{TokenError, TokenName, WrapFormat};

use crate::classify::OrFailed as _;

/// The session in which the user logs in, and is from then on.
pub(crate) struct UserSession {
    pub(crate) session: Session,
    pub(crate) token: TokenName,
    pub(crate) format: Option<WrapFormat>,
}

impl fmt::Display for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.token.fmt(f)
    }
}

impl UserSession {
    /// Sees that the user is still logged in. Without that a token shows no private keys, and
    /// none of them would look like "no KEK" (C3).
    pub(crate) fn ensure_logged_in(&self) -> Result<(), TokenError> {
        let info = self
            .session
            .get_session_info()
            .or_failed(|| format!("the session on the {self} is gone"))?;
        match info.session_state() {
            SessionState::RoUser | SessionState::RwUser => Ok(()),
            SessionState::RoPublic | SessionState::RwPublic | SessionState::RwSecurityOfficer => {
                Err(TokenError::LoginForgotten(self.token.clone()))
            }
        }
    }
}
