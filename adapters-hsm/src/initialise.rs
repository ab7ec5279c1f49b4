//! A free slot becomes a token of ours, and no other slot is touched.

use cryptoki::error::RvError;
use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use ports::{Fault, FaultKind, PinState, Secret};

use crate::classify::{Cause, Operation, fault, is};
use crate::find::{check_label, describe};
use crate::marker;
use crate::module::Module;
use crate::slots::{SlotToken, Slots, pin_state};

/// Initialises a free slot, or finishes a token that was initialised and has no user PIN yet: the
/// power may have gone between the two.
pub(crate) fn initialise(
    module: &Module,
    label: &str,
    so_pin: &Secret,
    pin: &Secret,
) -> Result<ports::TokenInfo, Fault> {
    check_label(label)?;
    let slots = Slots::of(module)?;
    let serial = match unfinished(&slots, label)? {
        Some(token) => {
            check_pins(&token.info, so_pin, pin)?;
            set_pin(module, token, so_pin, pin)?;
            token.serial.clone()
        }
        None => {
            let made = make(module, &slots, label, so_pin, pin)?;
            set_pin(module, &made, so_pin, pin)?;
            made.serial
        }
    };
    // Slot numbers may have changed.
    let slots = Slots::of(module)?;
    let token = slots.by_serial(label, &serial)?;
    let context = module.context();
    describe(context, token, marker::read(context, token)?)
}

/// A token with our label and no user PIN. One that has its PIN is refused: it may hold keys, and
/// a second token under its label would make both ambiguous.
fn unfinished<'a>(slots: &'a Slots, label: &str) -> Result<Option<&'a SlotToken>, Fault> {
    let mut labelled = slots.labelled(label);
    let Some(first) = labelled.next() else {
        return Ok(None);
    };
    if labelled.next().is_none() && pin_state(&first.info) == PinState::NotInitialised {
        return Ok(Some(first));
    }
    Err(Fault::new(
        FaultKind::Config,
        format!(
            "a token {label:?} (serial {}) is there already and is not initialised again",
            first.serial
        ),
        "use it with its own PIN, or choose another label in hsm.token_label",
    ))
}

/// C_InitToken on a slot that was free a moment ago.
fn make(
    module: &Module,
    slots: &Slots,
    label: &str,
    so_pin: &Secret,
    pin: &Secret,
) -> Result<SlotToken, Fault> {
    let context = module.context();
    let slot = *slots.free.first().ok_or_else(|| no_free_slot(slots))?;
    let read = |slot: Slot| {
        context.get_token_info(slot).map_err(|error| {
            fault(
                Operation::Other,
                format!("slot {} cannot be read", slot.id()),
                error,
            )
        })
    };
    let info = read(slot)?;
    if info.token_initialized() {
        return Err(no_free_slot(slots));
    }
    check_pins(&info, so_pin, pin)?;
    context
        .init_token(slot, &auth(so_pin, "SO PIN")?, label)
        .map_err(|error| {
            fault(
                Operation::Other,
                format!("slot {} could not be initialised as {label:?}", slot.id()),
                error,
            )
        })?;
    let info = read(slot)?;
    let token = SlotToken::new(slot, info);
    if token.label == label && token.info.token_initialized() {
        return Ok(token);
    }
    Err(Fault::new(
        FaultKind::HsmUnavailable,
        format!(
            "slot {} was initialised as {label:?} and does not show that token",
            slot.id()
        ),
        "start again: a token that was initialised is found by its label",
    ))
}

fn no_free_slot(slots: &Slots) -> Fault {
    let labels: Vec<&str> = slots
        .tokens
        .iter()
        .map(|token| token.label.as_str())
        .collect();
    Fault::new(
        FaultKind::Config,
        format!(
            "no slot is free for a new token; the module shows the tokens {}",
            labels.join(", ")
        ),
        "add a slot, or name one of these tokens in hsm.token_label; a token that is \
         initialised is never overwritten",
    )
}

/// Both PINs are checked before anything is initialised, so that none is left half done.
fn check_pins(info: &TokenInfo, so_pin: &Secret, pin: &Secret) -> Result<(), Fault> {
    for (name, secret) in [("SO PIN", so_pin), ("user PIN", pin)] {
        auth(secret, name)?;
        let length = secret.expose().len();
        let (min, max) = (info.min_pin_length(), info.max_pin_length());
        if length < min.max(1) || (max >= min && length > max) {
            return Err(Fault::new(
                FaultKind::Denied,
                format!("the {name} is too short or too long for this token"),
                format!("choose a PIN of {min} to {max} bytes"),
            ));
        }
    }
    Ok(())
}

fn auth(secret: &Secret, name: &str) -> Result<AuthPin, Fault> {
    // The copy has no spare room, so that it becomes the PIN without leaving another one behind.
    secret
        .expose_text()
        .map(|text| AuthPin::from(text.to_owned()))
        .ok_or_else(|| {
            Fault::new(
                FaultKind::Denied,
                format!("the {name} is not UTF-8 text"),
                "PKCS#11 takes a new PIN as UTF-8; choose one of letters and digits",
            )
        })
}

/// C_InitPIN as the security officer, in a session of its own.
fn set_pin(module: &Module, token: &SlotToken, so_pin: &Secret, pin: &Secret) -> Result<(), Fault> {
    let (label, serial) = (&token.label, &token.serial);
    if token.info.so_pin_locked() || token.info.so_pin_final_try() {
        return Err(Fault::new(
            FaultKind::Denied,
            format!("the token {label:?} (serial {serial}) has no try of the SO PIN to spare"),
            "make sure of the SO PIN and set the user PIN by hand (pkcs11-tool --login \
             --login-type so --init-pin)",
        ));
    }
    let failed = |what: &str, error| {
        fault(
            Operation::Other,
            format!("{what} on the token {label:?} (serial {serial}) failed"),
            error,
        )
    };
    let session = module
        .context()
        .open_rw_session(token.slot)
        .map_err(|error| failed("opening a session", error))?;
    session
        .login(UserType::So, Some(&auth(so_pin, "SO PIN")?))
        .map_err(|error| {
            if is(&error, RvError::PinIncorrect) {
                return wrong_so_pin(token).because(Cause::from(error));
            }
            failed("the login as security officer", error)
        })?;
    session
        .init_pin(&auth(pin, "user PIN")?)
        .map_err(|error| failed("setting the user PIN", error))?;
    session
        .logout()
        .map_err(|error| failed("the logout of the security officer", error))
}

fn wrong_so_pin(token: &SlotToken) -> Fault {
    Fault::new(
        FaultKind::Denied,
        format!(
            "the token {:?} (serial {}) rejected the SO PIN",
            token.label, token.serial
        ),
        "put the SO PIN that the token was initialised with where hsm.so_pin_file says",
    )
}
