//! The session for a login, and the login itself.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::RawAuthPin;
use ports::{Fault, PinState, Secret};

use crate::budget;
use crate::classify::{Operation, fault, is};
use crate::module::Module;
use crate::session::UserSession;
use crate::slots::{SlotToken, Slots, pin_state, wrap_format};

/// What became of the one C_Login.
pub(crate) enum Login {
    /// The PIN works.
    Accepted,
    /// The token refuses this PIN.
    Rejected(Fault),
    /// It failed before the token looked at the PIN.
    NotTried(Fault),
    /// It failed, and whether the token has counted a wrong PIN is unknown: a connection that is cut
    /// in C_Login comes back as an error of the device.
    Unknown(Fault),
}

/// All that a login needs but the PIN. The flags of the token are looked at again, right before
/// the try.
pub(crate) fn open(module: &Module, label: &str, serial: &str) -> Result<UserSession, Fault> {
    let slots = Slots::of(module)?;
    let token = slots.by_serial(label, serial)?;
    budget::check_flags(label, serial, pin_state(&token.info))?;
    let context = module.context();
    Ok(UserSession {
        session: open_in(context, token)?,
        label: label.to_owned(),
        serial: serial.to_owned(),
        format: wrap_format(context, token)?,
    })
}

/// The one C_Login, in the session that was opened for it.
pub(crate) fn log_in(user: &UserSession, pin: &Secret) -> Login {
    let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
    match user.session.login_with_raw(UserType::User, &pin) {
        Ok(()) => Login::Accepted,
        Err(error) if is(&error, RvError::UserAlreadyLoggedIn) => Login::Accepted,
        Err(error) if is_about_the_pin(&error) => Login::Rejected(rejected(user, error)),
        Err(error) if is_before_the_pin(&error) => Login::NotTried(refused(user, error)),
        Err(error) => Login::Unknown(refused(user, error)),
    }
}

/// The token refuses the PIN itself (PKCS#11 v3.1, section 5.1.6).
fn is_about_the_pin(error: &Error) -> bool {
    [
        RvError::PinIncorrect,
        RvError::PinInvalid,
        RvError::PinLenRange,
    ]
    .into_iter()
    .any(|code| is(error, code))
}

/// The call was refused before the PIN was looked at.
fn is_before_the_pin(error: &Error) -> bool {
    [
        RvError::CryptokiNotInitialized,
        RvError::SessionHandleInvalid,
        RvError::SessionClosed,
        RvError::UserPinNotInitialized,
        RvError::UserTypeInvalid,
        RvError::UserAnotherAlreadyLoggedIn,
        RvError::UserTooManyTypes,
    ]
    .into_iter()
    .any(|code| is(error, code))
}

fn rejected(user: &UserSession, error: Error) -> Fault {
    fault(
        Operation::Other,
        format!("the {user} rejected the user PIN"),
        error,
    )
}

fn refused(user: &UserSession, error: Error) -> Fault {
    if is(&error, RvError::PinLocked) {
        return budget::refusal(&user.label, &user.serial, PinState::Locked);
    }
    fault(
        Operation::Other,
        format!("the login to the {user} failed"),
        error,
    )
}

/// A session that can write, where the token can be written to.
fn open_in(context: &Pkcs11, token: &SlotToken) -> Result<Session, Fault> {
    match context.open_rw_session(token.slot) {
        Err(error) if is(&error, RvError::TokenWriteProtected) => {
            context.open_ro_session(token.slot)
        }
        opened => opened,
    }
    .map_err(|error| {
        fault(
            Operation::Other,
            format!(
                "no session could be opened on the token {:?} (serial {})",
                token.label, token.serial
            ),
            error,
        )
    })
}
