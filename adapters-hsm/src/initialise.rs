//! A free slot becomes a token of ours, and no other slot is touched.

use cryptoki::error::RvError;
use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use ports::{PinState, Secret, TokenError};

use crate::classify::{OrFailed as _, cause, failed, is};
use crate::find::ensure_label;
use crate::module::Module;
use crate::slots::{SlotToken, Slots};

/// Initialises a free slot, or finishes a token that was initialised and has no user PIN yet: the
/// power may have gone between the two.
pub(crate) fn initialise(
    module: &Module,
    label: &str,
    so_pin: &Secret,
    pin: &Secret,
) -> Result<SlotToken, TokenError> {
    ensure_label(label)?;
    let slots = Slots::of(module)?;
    if !module.quirks().may_initialise {
        return Err(no_free_slot(&slots));
    }
    let token = match unfinished(&slots, label)? {
        Some(token) => {
            ensure_pins(&token.info, so_pin, pin)?;
            token
        }
        None => &make(module, &slots, label, so_pin, pin)?,
    };
    set_pin(module, token, so_pin, pin)?;
    // Slot numbers may have changed.
    Slots::of(module)?.again(&token.name)
}

/// A token with our label and no user PIN. One that has its PIN is refused: it may hold keys, and
/// a second token under its label would make both ambiguous.
fn unfinished<'a>(slots: &'a Slots, label: &str) -> Result<Option<&'a SlotToken>, TokenError> {
    let mut labelled = slots.labelled(label);
    let Some(first) = labelled.next() else {
        return Ok(None);
    };
    if labelled.next().is_none() && first.pin() == PinState::NotInitialised {
        return Ok(Some(first));
    }
    Err(TokenError::AlreadyInitialised(first.name.clone()))
}

/// C_InitToken on a slot that was free a moment ago.
fn make(
    module: &Module,
    slots: &Slots,
    label: &str,
    so_pin: &Secret,
    pin: &Secret,
) -> Result<SlotToken, TokenError> {
    let context = module.context();
    let slot = *slots.free.first().ok_or_else(|| no_free_slot(slots))?;
    let read = |slot: Slot| {
        context
            .get_token_info(slot)
            .or_failed(|| format!("slot {} cannot be read", slot.id()))
    };
    let info = read(slot)?;
    if info.token_initialized() {
        return Err(no_free_slot(slots));
    }
    ensure_pins(&info, so_pin, pin)?;
    context
        .init_token(slot, &auth(so_pin, "SO PIN")?, label)
        .or_failed(|| format!("slot {} could not be initialised as {label:?}", slot.id()))?;
    let info = read(slot)?;
    let token = SlotToken::new(slot, info);
    if token.name.label == label && token.info.token_initialized() {
        return Ok(token);
    }
    Err(TokenError::InitialisedNotShown {
        slot: slot.id(),
        label: label.to_owned(),
    })
}

fn no_free_slot(slots: &Slots) -> TokenError {
    let labels = slots.tokens.iter().map(|token| token.name.label.clone());
    TokenError::NoFreeSlot(labels.collect())
}

/// Both PINs are checked before anything is initialised, so that none is left half done.
fn ensure_pins(info: &TokenInfo, so_pin: &Secret, pin: &Secret) -> Result<(), TokenError> {
    for (pin, secret) in [("SO PIN", so_pin), ("user PIN", pin)] {
        auth(secret, pin)?;
        let length = secret.expose().len();
        let (min, max) = (info.min_pin_length(), info.max_pin_length());
        if length < min.max(1) || (max >= min && length > max) {
            return Err(TokenError::PinLength { pin, min, max });
        }
    }
    Ok(())
}

fn auth(secret: &Secret, pin: &'static str) -> Result<AuthPin, TokenError> {
    // The copy has no spare room, so that it becomes the PIN without leaving another one behind.
    secret
        .expose_text()
        .map(|text| AuthPin::from(text.to_owned()))
        .ok_or(TokenError::PinNotText(pin))
}

/// C_InitPIN as the security officer, in a session of its own.
fn set_pin(
    module: &Module,
    token: &SlotToken,
    so_pin: &Secret,
    pin: &Secret,
) -> Result<(), TokenError> {
    let name = &token.name;
    if token.info.so_pin_locked() || token.info.so_pin_final_try() {
        return Err(TokenError::NoSoPinTry(name.clone()));
    }
    let what = |what: &str| format!("{what} on the {name} failed");
    let session = module
        .context()
        .open_rw_session(token.slot)
        .or_failed(|| what("opening a session"))?;
    session
        .login(UserType::So, Some(&auth(so_pin, "SO PIN")?))
        .map_err(|error| {
            if is(&error, RvError::PinIncorrect) {
                return TokenError::SoPinRejected {
                    token: name.clone(),
                    source: cause(error),
                };
            }
            failed(what("the login as security officer"), error)
        })?;
    session
        .init_pin(&auth(pin, "user PIN")?)
        .or_failed(|| what("setting the user PIN"))?;
    session
        .logout()
        .or_failed(|| what("the logout of the security officer"))
}
