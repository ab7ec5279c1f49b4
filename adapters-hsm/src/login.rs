//! The one login, and the ledger around it (C18).

use ports::{Fault, FaultKind, Secret, Token, TryEnd};

use crate::Pkcs11Hsm;
use crate::budget;
use crate::interrupts::Held;
use crate::user_login::{self, Login};

impl Pkcs11Hsm {
    /// Tries the PIN where it may be tried. The ledger is open from before the first look until the
    /// end of the try is noted: of many processes side by side one tries, and the others read how
    /// that ended.
    pub(crate) fn log_in(&self, token: &Token, pin: &Secret) -> Result<(), Fault> {
        if self.is_logged_in(token)? {
            return Ok(());
        }
        let (label, serial) = (&token.label, &token.serial);
        budget::check_flags(label, serial, token.pin)?;
        budget::check_pin(label, serial, pin)?;
        let not_tried = |fault| not_tried(token, fault);
        let mut ledger = (self.memory)
            .open(serial, self.config.call_deadline)
            .map_err(not_tried)?;
        budget::check_ledger(label, serial, &*ledger, pin)?;
        self.prepare(token)?;
        let _held = Held::new(&*self.interrupts);
        ledger.note_try().map_err(not_tried)?;
        // After an error nobody saw how it ended: the try stays noted.
        match self.try_pin(token, pin)? {
            Login::Accepted => {
                self.logged_in.set(true);
                ledger.end_try(TryEnd::Accepted)
            }
            Login::NotTried(fault) => {
                let crossed_out = ledger.end_try(TryEnd::Other);
                Err(with_the_end_noted(fault, crossed_out))
            }
            // Whether the token has counted it nobody saw: the try stays noted.
            Login::Unknown(fault) => Err(fault),
            Login::Rejected(rejection) => {
                let kept =
                    budget::hash(pin).and_then(|hash| ledger.end_try(TryEnd::Rejected { hash }));
                Err(with_the_end_noted(rejection, kept))
            }
        }
    }

    /// Whether there is nothing left to do; an error where a second try would be one too many.
    fn is_logged_in(&self, token: &Token) -> Result<bool, Fault> {
        let tried = self.tried.borrow();
        match tried.as_deref() {
            None => Ok(false),
            Some(serial) if serial == token.serial && self.logged_in.get() => Ok(true),
            Some(serial) => Err(Fault::new(
                FaultKind::Denied,
                format!(
                    "a PIN was tried in this start already, on the token with serial {serial}; \
                     none is tried again"
                ),
                "start again with the right PIN where hsm.pin_file says",
            )),
        }
    }

    fn prepare(&self, token: &Token) -> Result<(), Fault> {
        let (label, serial) = (token.label.clone(), token.serial.clone());
        self.worker()?.call("opening a session", move |module| {
            user_login::prepare(module, &label, &serial)
        })
    }

    /// The one C_Login.
    fn try_pin(&self, token: &Token, pin: &Secret) -> Result<Login, Fault> {
        *self.tried.borrow_mut() = Some(token.serial.clone());
        let pin = pin.clone();
        self.worker()?
            .call("the login", move |module| user_login::login(module, &pin))
    }
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
fn not_tried(token: &Token, fault: Fault) -> Fault {
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
