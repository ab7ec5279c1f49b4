//! The session in which the user logs in. Lives on the thread of its module.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::types::RawAuthPin;
use domain::KekId;
use ports::{Secret, TokenError, TokenInfo, TokenName, WrapFormat};

use crate::budget;
use crate::classify::{OrFailed as _, failed, is, is_one_of};
use crate::direct::DirectCalls;
use crate::marker;
use crate::mechanisms::Mechanisms;
use crate::module::Module;
use crate::quirks::Quirks;
use crate::slots::SlotToken;

/// What became of the one C_Login, where that is known.
pub(crate) enum Login {
    /// The PIN works.
    Accepted,
    /// The token refuses this PIN.
    Rejected(TokenError),
    /// It failed before the token looked at the PIN, or locked it: no further try is possible.
    NotTried(TokenError),
}

/// The one session on a token: public at first, and the user's after the login.
pub(crate) struct UserSession {
    pub(crate) session: Session,
    pub(crate) token: SlotToken,
    /// What the port calls the token.
    pub(crate) name: TokenName,
    pub(crate) format: Option<WrapFormat>,
    pub(crate) calls: Rc<DirectCalls>,
    pub(crate) quirks: Quirks,
    context: Pkcs11,
    /// The KEK that was found last: it is looked for once.
    pub(crate) kek: RefCell<Option<(KekId, ObjectHandle)>>,
}

impl fmt::Display for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl UserSession {
    /// Opens it. Nobody is logged in.
    pub(crate) fn open(module: &Module, token: SlotToken) -> Result<Self, TokenError> {
        let calls = module.direct();
        let mechanisms = Mechanisms {
            context: module.context(),
            calls: &calls,
            token: &token,
        };
        let format = mechanisms.wrap_format()?;
        Ok(Self {
            session: open(module.context(), &token)?,
            name: token.name.clone(),
            format,
            token,
            calls,
            quirks: module.quirks(),
            context: module.context().clone(),
            kek: RefCell::new(None),
        })
    }

    /// What the token says of itself without a login.
    pub(crate) fn describe(&mut self) -> Result<TokenInfo, TokenError> {
        let marker = marker::read(&self.session, &self.token.name)?;
        self.name = self.token.name_by(marker.as_ref());
        Ok(self.token.describe(marker, self.format))
    }

    /// Looks at the flags of the token again, right before a try of its PIN.
    pub(crate) fn ensure_may_try(&self) -> Result<(), TokenError> {
        let info = self
            .context
            .get_token_info(self.token.slot)
            .or_failed(|| format!("the {self} cannot be looked at again"))?;
        let shown = SlotToken::new(self.token.slot, info);
        let name = || self.name.clone();
        if shown.name != self.token.name {
            return Err(TokenError::TokenVanished(name()));
        }
        if shown.info.protected_authentication_path() {
            return Err(TokenError::PinPad(name()));
        }
        if !shown.info.login_required() {
            return Err(TokenError::NoLoginRequired(name()));
        }
        budget::ensure_try_to_spare(&self.name, shown.pin())
    }

    /// No KEK can be kept on a token that has no mechanism to wrap with.
    pub(crate) fn wrap_format(&self) -> Result<WrapFormat, TokenError> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        Err(TokenError::NoWrapMechanism {
            token: self.name.clone(),
            offered: self.mechanisms().names()?.join(", "),
        })
    }

    /// What the token offers.
    pub(crate) fn mechanisms(&self) -> Mechanisms<'_> {
        Mechanisms {
            context: &self.context,
            calls: &self.calls,
            token: &self.token,
        }
    }

    /// The one C_Login.
    ///
    /// # Errors
    /// It failed, and whether the token has counted a wrong PIN is unknown: a connection that is
    /// cut in C_Login comes back as an error of the device.
    pub(crate) fn log_in(&self, pin: &Secret) -> Result<Login, TokenError> {
        let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
        match self.session.login_with_raw(UserType::User, &pin) {
            Ok(()) => Ok(Login::Accepted),
            Err(error) if is(&error, RvError::UserAlreadyLoggedIn) => Ok(Login::Accepted),
            Err(error) if is_about_the_pin(&error) => Ok(Login::Rejected(failed(
                format!("the {self} rejected the user PIN"),
                error,
            ))),
            Err(error) if is_before_the_pin(&error) => Ok(Login::NotTried(self.refused(error))),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: Error) -> TokenError {
        if is(&error, RvError::PinLocked) {
            return TokenError::PinLocked(self.name.clone());
        }
        failed(format!("the login to the {self} failed"), error)
    }

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
                Err(TokenError::LoginForgotten(self.name.clone()))
            }
        }
    }
}

/// The token refuses the PIN itself (PKCS#11 v3.1, section 5.1.6).
fn is_about_the_pin(error: &Error) -> bool {
    is_one_of(
        error,
        &[
            RvError::PinIncorrect,
            RvError::PinInvalid,
            RvError::PinLenRange,
        ],
    )
}

/// The call was refused before the PIN was looked at; or the PIN is locked, by an earlier try or by
/// this one: that says nothing of this PIN.
fn is_before_the_pin(error: &Error) -> bool {
    is_one_of(
        error,
        &[
            RvError::CryptokiNotInitialized,
            RvError::SessionHandleInvalid,
            RvError::SessionClosed,
            RvError::UserPinNotInitialized,
            RvError::UserTypeInvalid,
            RvError::UserAnotherAlreadyLoggedIn,
            RvError::UserTooManyTypes,
            RvError::PinLocked,
        ],
    )
}

/// A session that can write, where the token can be written to.
pub(crate) fn open(context: &Pkcs11, token: &SlotToken) -> Result<Session, TokenError> {
    match context.open_rw_session(token.slot) {
        Err(error) if is(&error, RvError::TokenWriteProtected) => {
            context.open_ro_session(token.slot)
        }
        opened => opened,
    }
    .or_failed(|| format!("no session could be opened on the {}", token.name))
}
