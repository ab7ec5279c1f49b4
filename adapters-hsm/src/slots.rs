//! What the slots of a module show.

use camino::Utf8Path;
use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::{Slot, TokenInfo};
use ports::{Fault, FaultKind, PinState, TokenQuery, WrapFormat};

use crate::classify::{Cause, Operation, fault, is};
use crate::module::Module;

/// An initialised token in its slot.
#[derive(Clone, Debug)]
pub(crate) struct SlotToken {
    pub(crate) slot: Slot,
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) info: TokenInfo,
}

impl SlotToken {
    /// Label and serial number are padded in CK_TOKEN_INFO.
    pub(crate) fn new(slot: Slot, info: TokenInfo) -> Self {
        Self {
            slot,
            label: trimmed(info.label()),
            serial: trimmed(info.serial_number()),
            info,
        }
    }

    /// SoftHSM makes a token with its SO PIN locked and sets the PIN next; killed in between it
    /// leaves one that no PIN opens and that cannot be initialised again. Without a user PIN there
    /// was never a key on it.
    fn is_unfinished_for_ever(&self) -> bool {
        self.info.so_pin_locked() && !self.info.user_pin_initialized()
    }
}

/// Everything that the slots of a module show.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// Initialised tokens.
    pub(crate) tokens: Vec<SlotToken>,
    /// Slots whose token is not initialised.
    pub(crate) free: Vec<Slot>,
    /// Slots without a token.
    empty: Vec<Slot>,
    /// Slots that do not say what they hold.
    unreadable: Vec<(Slot, cryptoki::error::Error)>,
}

impl Slots {
    /// Looks at every slot.
    pub(crate) fn of(module: &Module) -> Result<Self, Fault> {
        let context = module.context();
        let slots = context.get_all_slots().map_err(|error| {
            fault(
                Operation::Other,
                format!("the PKCS#11 module {} cannot list its slots", module.path()),
                error,
            )
        })?;
        if slots.is_empty() {
            let library = context.get_library_info().map_err(|error| {
                fault(
                    Operation::Other,
                    format!("the PKCS#11 module {} shows no slots", module.path()),
                    error,
                )
            })?;
            return Err(module.no_slots(library.library_description().trim()));
        }
        let mut seen = Self::default();
        for slot in slots {
            seen.add(context, slot);
        }
        Ok(seen)
    }

    fn add(&mut self, context: &Pkcs11, slot: Slot) {
        match context.get_slot_info(slot) {
            Ok(info) if !info.token_present() => return self.empty.push(slot),
            Ok(_) => {}
            Err(error) => return self.unreadable.push((slot, error)),
        }
        match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() => self.tokens.push(SlotToken::new(slot, info)),
            Ok(_) => self.free.push(slot),
            Err(error) => self.unreadable.push((slot, error)),
        }
    }

    /// The tokens with the label that could ever be used.
    pub(crate) fn labelled<'a>(&'a self, label: &str) -> impl Iterator<Item = &'a SlotToken> {
        self.tokens
            .iter()
            .filter(move |token| token.label == label && !token.is_unfinished_for_ever())
    }

    /// The token that was seen before under this serial number.
    pub(crate) fn by_serial(&self, label: &str, serial: &str) -> Result<&SlotToken, Fault> {
        self.labelled(label)
            .find(|token| token.serial == serial)
            .ok_or_else(|| {
                Fault::new(
                    FaultKind::HsmUnavailable,
                    format!(
                        "the token {label:?} (serial {serial}) was there a moment ago and is not \
                         shown any more"
                    ),
                    "check the token and its daemon, then start again; this says nothing about \
                     the keys on the token",
                )
            })
    }

    /// Refuses to conclude that a token is absent where it could be in a slot that does not say
    /// what it holds; a reader without a token counts where a token is known to exist.
    pub(crate) fn ensure_complete(
        &mut self,
        query: &TokenQuery,
        path: &Utf8Path,
    ) -> Result<(), Fault> {
        const HINT: &str = "check the token and its daemon, then start again; this says nothing \
                            about the keys on the token";
        let what = |slot: Slot, why: &str, hint: &str| {
            Fault::new(
                FaultKind::HsmUnavailable,
                format!(
                    "the token {:?} is not shown by {path}, and slot {} {why}",
                    query.label,
                    slot.id()
                ),
                hint,
            )
        };
        if let Some((slot, error)) = self.unreadable.pop() {
            let hint = format!(
                "{HINT}; only where the initialisation of a token was cut short just now is this \
                 what SoftHSM left of it: its newest token directory, without a key in it, which \
                 is then to be moved away"
            );
            return Err(what(slot, "cannot be read", &hint).because(Cause::from(error)));
        }
        match self.empty.first() {
            Some(slot) if query.serial.is_some() => Err(what(*slot, "has no token in it", HINT)),
            _ => Ok(()),
        }
    }
}

pub(crate) fn trimmed(padded: &str) -> String {
    padded.trim_end_matches([' ', '\0']).to_owned()
}

/// How the token stands to user PINs.
pub(crate) fn pin_state(info: &TokenInfo) -> PinState {
    if info.user_pin_locked() {
        PinState::Locked
    } else if !info.user_pin_initialized() {
        PinState::NotInitialised
    } else if info.user_pin_final_try() {
        PinState::FinalTry
    } else if info.user_pin_count_low() {
        PinState::CountLow
    } else {
        PinState::Fine
    }
}

/// How the token wraps: CKM_AES_KEY_WRAP, else CKM_AES_GCM, and never anything without integrity.
pub(crate) fn wrap_format(
    context: &Pkcs11,
    token: &SlotToken,
) -> Result<Option<WrapFormat>, Fault> {
    if offers(context, token, WrapFormat::AesKeyWrap)? {
        Ok(Some(WrapFormat::AesKeyWrap))
    } else if offers(context, token, WrapFormat::AesGcm)? {
        Ok(Some(WrapFormat::AesGcm))
    } else {
        Ok(None)
    }
}

fn offers(context: &Pkcs11, token: &SlotToken, format: WrapFormat) -> Result<bool, Fault> {
    let failed = |error| {
        fault(
            Operation::Other,
            format!(
                "the token {:?} (serial {}) does not say which mechanisms it has",
                token.label, token.serial
            ),
            error,
        )
    };
    let mechanism = match format {
        WrapFormat::AesKeyWrap => MechanismType::AES_KEY_WRAP,
        WrapFormat::AesGcm => MechanismType::AES_GCM,
    };
    let listed = context.get_mechanism_list(token.slot).map_err(failed)?;
    if !listed.contains(&mechanism) {
        return Ok(false);
    }
    match context.get_mechanism_info(token.slot, mechanism) {
        Ok(info) => Ok(match format {
            WrapFormat::AesKeyWrap => info.wrap() && info.unwrap(),
            WrapFormat::AesGcm => info.encrypt() && info.decrypt(),
        }),
        Err(error) if is(&error, RvError::MechanismInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
