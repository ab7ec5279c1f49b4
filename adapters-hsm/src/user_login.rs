//! The session for a login, and the login itself.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::RawAuthPin;
use ports::{Secret, TokenError, TokenName};

use crate::budget;
use crate::classify::{OrFailed as _, failed, is, is_one_of};
use crate::module::Module;
use crate::session::UserSession;
use crate::slots::{SlotToken, Slots, pin_state, wrap_format};

/// What became of the one C_Login, where that is known.
pub(crate) enum Login {
    /// The PIN works.
    Accepted,
    /// The token refuses this PIN.
    Rejected(TokenError),
    /// It failed before the token looked at the PIN.
    NotTried(TokenError),
}

/// All that a login needs but the PIN. The flags of the token are looked at again, right before
/// the try.
pub(crate) fn open(module: &Module, token: &TokenName) -> Result<UserSession, TokenError> {
    let slots = Slots::of(module)?;
    let shown = slots.again(token)?;
    budget::ensure_try_to_spare(token, pin_state(&shown.info))?;
    let context = module.context();
    Ok(UserSession {
        session: open_in(context, shown)?,
        token: token.clone(),
        format: wrap_format(context, shown)?,
    })
}

/// The one C_Login, in the session that was opened for it.
///
/// # Errors
/// It failed, and whether the token has counted a wrong PIN is unknown: a connection that is cut in
/// C_Login comes back as an error of the device.
pub(crate) fn log_in(user: &UserSession, pin: &Secret) -> Result<Login, TokenError> {
    let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
    match user.session.login_with_raw(UserType::User, &pin) {
        Ok(()) => Ok(Login::Accepted),
        Err(error) if is(&error, RvError::UserAlreadyLoggedIn) => Ok(Login::Accepted),
        Err(error) if is_about_the_pin(&error) => Ok(Login::Rejected(failed(
            format!("the {user} rejected the user PIN"),
            error,
        ))),
        Err(error) if is_before_the_pin(&error) => Ok(Login::NotTried(refused(user, error))),
        Err(error) => Err(refused(user, error)),
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

fn refused(user: &UserSession, error: Error) -> TokenError {
    if is(&error, RvError::PinLocked) {
        return TokenError::PinLocked(user.token.clone());
    }
    failed(format!("the login to the {user} failed"), error)
}

/// A session that can write, where the token can be written to.
fn open_in(context: &Pkcs11, token: &SlotToken) -> Result<Session, TokenError> {
    match context.open_rw_session(token.slot) {
        Err(error) if is(&error, RvError::TokenWriteProtected) => {
            context.open_ro_session(token.slot)
        }
        opened => opened,
    }
    .or_failed(|| format!("no session could be opened on the {}", token.name))
}
