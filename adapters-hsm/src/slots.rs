//! What the slots of a module show.

use camino::Utf8Path;
use cryptoki::context::Pkcs11;
use cryptoki::slot::{Slot, TokenInfo};
use ports::{Device, PinState, TokenError, TokenName, TokenQuery, WrapFormat};

use crate::classify::cause;
use crate::marker::Marker;
use crate::module::Module;

/// An initialised token in its slot.
#[derive(Clone, Debug)]
pub(crate) struct SlotToken {
    pub(crate) slot: Slot,
    pub(crate) name: TokenName,
    pub(crate) info: TokenInfo,
}

impl SlotToken {
    /// Label and serial number are padded in CK_TOKEN_INFO.
    pub(crate) fn new(slot: Slot, info: TokenInfo) -> Self {
        Self {
            slot,
            name: TokenName {
                label: trimmed(info.label()),
                serial: trimmed(info.serial_number()),
            },
            info,
        }
    }

    /// SoftHSM makes a token with its SO PIN locked and sets the PIN next; killed in between it
    /// leaves one that no PIN opens and that cannot be initialised again. Without a user PIN there
    /// was never a key on it.
    fn is_unfinished_for_ever(&self) -> bool {
        self.info.so_pin_locked() && !self.info.user_pin_initialized()
    }

    /// Manufacturer and model are padded as label and serial number are.
    fn device(&self) -> Device {
        Device {
            manufacturer: trimmed(self.info.manufacturer_id()),
            model: trimmed(self.info.model()),
            firmware: self.info.firmware_version().to_string(),
        }
    }

    /// How the token stands to user PINs.
    pub(crate) fn pin(&self) -> PinState {
        if self.info.user_pin_locked() {
            PinState::Locked
        } else if !self.info.user_pin_initialized() {
            PinState::NotInitialised
        } else if self.info.user_pin_final_try() {
            PinState::FinalTry
        } else if self.info.user_pin_count_low() {
            PinState::CountLow
        } else {
            PinState::Fine
        }
    }

    /// Whether its serial number tells it from others. Tokens in software may all have the same one.
    pub(crate) fn has_serial(&self) -> bool {
        let serial = self.name.serial.as_bytes();
        serial.iter().any(|byte| Some(byte) != serial.first())
    }

    /// The token as the port shows it.
    pub(crate) fn describe(
        &self,
        marker: Option<Marker>,
        wrap_format: Option<WrapFormat>,
    ) -> ports::TokenInfo {
        let name = self.name_by(marker.as_ref());
        ports::TokenInfo {
            label: name.label,
            serial: name.serial,
            device: self.device(),
            pin: self.pin(),
            marker: marker.map(|marker| marker.installation),
            wrap_format,
        }
    }

    /// Its name; its marker numbers it where it has no serial number of its own.
    pub(crate) fn name_by(&self, marker: Option<&Marker>) -> TokenName {
        let numbered = marker
            .filter(|_| !self.has_serial())
            .and_then(|marker| marker.serial.clone());
        TokenName {
            label: self.name.label.clone(),
            serial: numbered.unwrap_or_else(|| self.name.serial.clone()),
        }
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
    pub(crate) fn of(module: &Module) -> Result<Self, TokenError> {
        let context = module.context();
        let mut seen = Self::default();
        for slot in module.slots()? {
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
            .filter(move |token| token.name.label == label && !token.is_unfinished_for_ever())
    }

    /// The token, which was seen before.
    pub(crate) fn again(self, token: &TokenName) -> Result<SlotToken, TokenError> {
        self.tokens
            .into_iter()
            .find(|shown| shown.name == *token)
            .ok_or_else(|| TokenError::TokenVanished(token.clone()))
    }

    /// Refuses to conclude that a token is absent where it could be in a slot that does not say
    /// what it holds; a reader without a token counts where a token is known to exist.
    pub(crate) fn ensure_complete(
        &mut self,
        query: &TokenQuery,
        path: &Utf8Path,
    ) -> Result<(), TokenError> {
        let (label, module) = (query.label.clone(), path.to_string());
        if let Some((slot, error)) = self.unreadable.pop() {
            return Err(TokenError::SlotUnreadable {
                label,
                module,
                slot: slot.id(),
                source: cause(error),
            });
        }
        match self.empty.first() {
            Some(slot) if query.serial.is_some() => Err(TokenError::SlotEmpty {
                label,
                module,
                slot: slot.id(),
            }),
            _ => Ok(()),
        }
    }
}

pub(crate) fn trimmed(padded: &str) -> String {
    padded.trim_end_matches([' ', '\0']).to_owned()
}
