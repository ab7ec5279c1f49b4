//! The session in which the user logs in. Lives on the thread of its module.

use std::fmt;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::object::Attribute;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::types::RawAuthPin;
use ports::{Secret, TokenError, TokenName, WrapFormat};

use crate::budget;
use crate::classify::{OrFailed as _, failed, is, is_one_of};
use crate::module::Module;
use crate::slots::{SlotToken, Slots};

/// What became of the one C_Login, where that is known.
pub(crate) enum Login {
    /// The PIN works.
    Accepted,
    /// The token refuses this PIN.
    Rejected(TokenError),
    /// It failed before the token looked at the PIN.
    NotTried(TokenError),
}

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
    /// All that a login needs but the PIN. The flags of the token are looked at again, right
    /// before the try.
    pub(crate) fn open(module: &Module, token: &TokenName) -> Result<Self, TokenError> {
        let slots = Slots::of(module)?;
        let shown = slots.again(token)?;
        budget::ensure_try_to_spare(token, shown.pin())?;
        let context = module.context();
        Ok(Self {
            session: open(context, shown)?,
            token: token.clone(),
            format: shown.wrap_format(context)?,
        })
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
            return TokenError::PinLocked(self.token.clone());
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
                Err(TokenError::LoginForgotten(self.token.clone()))
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

/// The call was refused before the PIN was looked at.
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
        ],
    )
}

/// A session that can write, where the token can be written to.
fn open(context: &Pkcs11, token: &SlotToken) -> Result<Session, TokenError> {
    match context.open_rw_session(token.slot) {
        Err(error) if is(&error, RvError::TokenWriteProtected) => {
            context.open_ro_session(token.slot)
        }
        opened => opened,
    }
    .or_failed(|| format!("no session could be opened on the {}", token.name))
}

/// Makes an object that nobody can modify. Not every token takes CKA_MODIFIABLE: it is left out
/// where the template is refused.
pub(crate) fn unmodifiable<T>(
    mut template: Vec<Attribute>,
    make: impl Fn(&[Attribute]) -> Result<T, Error>,
) -> Result<T, Error> {
    template.push(Attribute::Modifiable(false));
    match make(&template) {
        Err(error) if refuses_template(&error) => {
            template.pop();
            make(&template)
        }
        made => made,
    }
}

/// Whether the token does not take an attribute of the template.
fn refuses_template(error: &Error) -> bool {
    is_one_of(
        error,
        &[
            RvError::TemplateInconsistent,
            RvError::AttributeTypeInvalid,
            RvError::AttributeValueInvalid,
            RvError::AttributeReadOnly,
        ],
    )
}
