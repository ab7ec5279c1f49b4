//! The one login, and the ledger around it (C18).

use ports::{PinMemoryError, Secret, TokenError, TokenInfo, TryEnd};

use crate::budget::{self, Wanted};
use crate::interrupts::Held;
use crate::session::{Login, UserSession};
use crate::shared::Lease;
use crate::worker::Remote;

/// Tries the PIN where it may be tried. The ledger is open from before the last look until the end of
/// the try is noted: of many processes side by side one tries, and the others read how that ended.
pub(crate) fn log_in(
    lease: &Lease,
    session: &Remote<UserSession>,
    info: &TokenInfo,
    pin: &Secret,
    wanted: Wanted,
) -> Result<(), TokenError> {
    let shared = &lease.shared;
    if let Some(serial) = shared.tried.get() {
        return Err(TokenError::PinTriedAlready(serial.clone()));
    }
    let token = info.name();
    budget::ensure_try_to_spare(&token, info.pin)?;
    if pin.is_empty() {
        return Err(TokenError::EmptyPin(token));
    }
    // Where no try can be noted, nobody logs in.
    let not_noted = |error: PinMemoryError| TokenError::TryNotNoted {
        token: token.clone(),
        source: error.into(),
    };
    let mut ledger = (shared.memory)
        .open(&token.serial, shared.config.call_deadline)
        .map_err(not_noted)?;
    budget::ensure_allowed(&token, &*ledger, pin, wanted)?;
    session.call("looking at the token again", |user| user.ensure_may_try())?;
    let _held = Held::new(&*shared.interrupts);
    ledger.note_try().map_err(not_noted)?;
    shared.tried.get_or_init(|| token.serial.clone());
    let tried = pin.clone();
    // After an error nobody saw how it ended: the try stays noted.
    match session.call("the login", move |user| user.log_in(&tried))? {
        Login::Accepted => match ledger.end_try(TryEnd::Accepted) {
            Ok(()) => Ok(()),
            Err(fault) => Err(TokenError::Ledger(fault.into())),
        },
        Login::NotTried(failure) => {
            let noted = ledger.end_try(TryEnd::Other);
            Err(with_the_end_noted(failure, noted.map_err(Into::into)))
        }
        Login::Rejected(rejection) => {
            let noted = match budget::hash(pin) {
                Ok(hash) => (ledger.end_try(TryEnd::Rejected { hash })).map_err(Into::into),
                Err(error) => Err(error.into()),
            };
            Err(with_the_end_noted(rejection, noted))
        }
    }
}

/// The failure of a login. Where its end could not be noted, the try stays noted as one whose end
/// nobody saw.
fn with_the_end_noted(
    failure: TokenError,
    noted: Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> TokenError {
    match noted {
        Ok(()) => failure,
        Err(source) => TokenError::EndNotNoted {
            failure: Box::new(failure),
            source,
        },
    }
}
