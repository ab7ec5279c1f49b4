//! The one login, and the ledger around it (C18).

use std::rc::Rc;

use ports::{Fault, FaultKind, Secret, TokenInfo, TryEnd};

use crate::budget;
use crate::interrupts::Held;
use crate::module::Module;
use crate::session::UserSession;
use crate::shared::Shared;
use crate::user_login::{self, Login};
use crate::worker::Remote;

/// Tries the PIN where it may be tried, and gives back the session in which the user is logged in.
/// The ledger is open from before the first look until the end of the try is noted: of many
/// processes side by side one tries, and the others read how that ended.
pub(crate) fn log_in(
    shared: &Shared,
    module: &Rc<Remote<Module>>,
    token: &TokenInfo,
    pin: &Secret,
) -> Result<Remote<UserSession>, Fault> {
    ensure_untried(shared)?;
    let (label, serial) = (&token.label, &token.serial);
    budget::check_flags(label, serial, token.pin)?;
    budget::check_pin(label, serial, pin)?;
    let not_tried = |fault| not_tried(token, fault);
    let mut ledger = (shared.memory)
        .open(serial, shared.config.call_deadline)
        .map_err(not_tried)?;
    budget::check_ledger(label, serial, &*ledger, pin)?;
    let session = open(module, token)?;
    let _held = Held::new(&*shared.interrupts);
    ledger.note_try().map_err(not_tried)?;
    // After an error nobody saw how it ended: the try stays noted.
    match try_pin(shared, &session, token, pin)? {
        Login::Accepted => ledger.end_try(TryEnd::Accepted).map(|()| session),
        Login::NotTried(fault) => {
            let crossed_out = ledger.end_try(TryEnd::Other);
            Err(with_the_end_noted(fault, crossed_out))
        }
        // Whether the token has counted it nobody saw: the try stays noted.
        Login::Unknown(fault) => Err(fault),
        Login::Rejected(rejection) => {
            let kept = budget::hash(pin).and_then(|hash| ledger.end_try(TryEnd::Rejected { hash }));
            Err(with_the_end_noted(rejection, kept))
        }
    }
}

/// A second try in one start would be one too many.
fn ensure_untried(shared: &Shared) -> Result<(), Fault> {
    match shared.tried.get() {
        None => Ok(()),
        Some(serial) => Err(Fault::new(
            FaultKind::Denied,
            format!(
                "a PIN was tried in this start already, on the token with serial {serial}; none \
                 is tried again"
            ),
            "start again with the right PIN where hsm.pin_file says",
        )),
    }
}

fn open(module: &Rc<Remote<Module>>, token: &TokenInfo) -> Result<Remote<UserSession>, Fault> {
    let (label, serial) = (token.label.clone(), token.serial.clone());
    let opened = module.make("opening a session", move |module| {
        user_login::open(module, &label, &serial).map(|session| (session, ()))
    })?;
    opened.map(|(session, ())| session)
}

/// The one C_Login.
fn try_pin(
    shared: &Shared,
    session: &Remote<UserSession>,
    token: &TokenInfo,
    pin: &Secret,
) -> Result<Login, Fault> {
    shared.tried.get_or_init(|| token.serial.clone());
    let pin = pin.clone();
    session.call("the login", move |user| Ok(user_login::log_in(user, &pin)))
}

/// The failure of a login. Where its end could not be noted, the try stays noted as one whose end
/// nobody saw.
fn with_the_end_noted(failure: Fault, noted: Result<(), Fault>) -> Fault {
    let Err(fault) = noted else {
        return failure;
    };
    let said = [vec![failure.to_string()], failure.causes()].concat();
    Fault::new(
        failure.kind(),
        format!("{}; and that could not be noted", said.join(": ")),
        format!(
            "{}; at most one more try is made until this can be noted",
            failure.hint()
        ),
    )
    .because(fault)
}

/// Where no try can be noted, nobody logs in.
fn not_tried(token: &TokenInfo, fault: Fault) -> Fault {
    Fault::new(
        fault.kind(),
        format!(
            "the user PIN is not tried on the token {:?} (serial {}): the try cannot be noted",
            token.label, token.serial
        ),
        fault.hint().to_owned(),
    )
    .because(fault)
}
