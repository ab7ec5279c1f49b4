//! Which tokens a module shows, and which of them is meant.

use camino::Utf8Path;
use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::{Slot, TokenInfo};
use domain::InstallationId;
use ports::{Fault, FaultKind, PinState, Token, TokenQuery, TokenSight, WrapFormat};

use crate::classify::{Cause, Operation, fault, is};
use crate::marker;
use crate::module::Module;

/// The longest label of a token in bytes (CK_TOKEN_INFO).
const LABEL_LENGTH: usize = 32;

/// An initialised token in its slot.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) slot: Slot,
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) info: TokenInfo,
}

impl Seen {
    /// Label and serial number are padded in CK_TOKEN_INFO.
    pub(crate) fn new(slot: Slot, info: TokenInfo) -> Self {
        Self {
            slot,
            label: trimmed(info.label()),
            serial: trimmed(info.serial_number()),
            info,
        }
    }

    fn is_stillborn(&self) -> bool {
        self.info.so_pin_locked() && !self.info.user_pin_initialized()
    }
}

/// Everything that the slots of a module show.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Initialised tokens.
    pub(crate) tokens: Vec<Seen>,
    /// Slots whose token is not initialised.
    pub(crate) free: Vec<Slot>,
    /// Slots without a token.
    empty: Vec<Slot>,
    /// Slots that do not say what they hold.
    unreadable: Vec<(Slot, cryptoki::error::Error)>,
}

impl Survey {
    /// Looks at every slot.
    pub(crate) fn of(module: &Module) -> Result<Self, Fault> {
        let context = module.context()?;
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
        let mut survey = Self::default();
        for slot in slots {
            survey.add(context, slot);
        }
        Ok(survey)
    }

    fn add(&mut self, context: &Pkcs11, slot: Slot) {
        match context.get_slot_info(slot) {
            Ok(info) if !info.token_present() => return self.empty.push(slot),
            Ok(_) => {}
            Err(error) => return self.unreadable.push((slot, error)),
        }
        match context.get_token_info(slot) {
            Ok(info) if info.token_initialized() => self.tokens.push(Seen::new(slot, info)),
            Ok(_) => self.free.push(slot),
            Err(error) => self.unreadable.push((slot, error)),
        }
    }

    /// The tokens with the label that could ever be used. SoftHSM makes a token with its SO PIN
    /// locked and sets the PIN next; killed in between it leaves one that no PIN opens and that
    /// cannot be initialised again. Without a user PIN there was never a key on it.
    pub(crate) fn labelled<'a>(&'a self, label: &str) -> impl Iterator<Item = &'a Seen> {
        self.tokens
            .iter()
            .filter(move |seen| seen.label == label && !seen.is_stillborn())
    }

    /// The token that was seen before under this serial number.
    pub(crate) fn by_serial(&self, label: &str, serial: &str) -> Result<&Seen, Fault> {
        self.labelled(label)
            .find(|seen| seen.serial == serial)
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
    fn must_be_complete(&mut self, query: &TokenQuery, path: &Utf8Path) -> Result<(), Fault> {
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

fn trimmed(padded: &str) -> String {
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

/// A label that a token can have.
pub(crate) fn check_label(label: &str) -> Result<(), Fault> {
    if !label.is_empty() && label.len() <= LABEL_LENGTH && trimmed(label) == label {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Config,
        format!("{label:?} cannot be the label of a token"),
        "set hsm.token_label to 1 to 32 bytes that do not end in a space",
    ))
}

/// Looks for the token that is meant.
pub(crate) fn find(module: &Module, query: &TokenQuery) -> Result<TokenSight, Fault> {
    check_label(&query.label)?;
    let mut survey = Survey::of(module)?;
    let candidates: Vec<Seen> = survey.labelled(&query.label).cloned().collect();
    if candidates.is_empty() {
        survey.must_be_complete(query, module.path())?;
        return Ok(TokenSight::Absent {
            others: survey.tokens.into_iter().map(|seen| seen.label).collect(),
            free_slot: !survey.free.is_empty(),
        });
    }
    let context = module.context()?;
    let (seen, marker) = choose(context, candidates, query)?;
    describe(context, &seen, marker).map(TokenSight::Present)
}

/// Of several tokens the one with the serial number, else the one with our marker.
fn choose(
    context: &Pkcs11,
    mut candidates: Vec<Seen>,
    query: &TokenQuery,
) -> Result<(Seen, Option<InstallationId>), Fault> {
    let serials: Vec<String> = candidates.iter().map(|seen| seen.serial.clone()).collect();
    if candidates.len() > 1
        && let Some(serial) = &query.serial
        && serials.contains(serial)
    {
        candidates.retain(|seen| seen.serial == *serial);
    }
    let mut marked = Vec::new();
    for seen in candidates {
        let marker = marker::read(context, &seen)?;
        marked.push((seen, marker));
    }
    if marked.len() > 1 && query.installation.is_some() {
        let ours = |(_, marker): &&(Seen, _)| *marker == query.installation;
        if marked.iter().filter(ours).count() == 1 {
            marked.retain(|(_, marker)| *marker == query.installation);
        }
    }
    match (marked.pop(), marked.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(ambiguous(&query.label, &serials)),
    }
}

fn ambiguous(label: &str, serials: &[String]) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!(
            "{} tokens have the label {label:?}; their serial numbers are {}",
            serials.len(),
            serials.join(", ")
        ),
        "name the one that is meant in hsm.uri: pkcs11:token=LABEL;serial=NUMBER",
    )
}

/// The token as the port shows it.
pub(crate) fn describe(
    context: &Pkcs11,
    seen: &Seen,
    marker: Option<InstallationId>,
) -> Result<Token, Fault> {
    Ok(Token {
        label: seen.label.clone(),
        serial: seen.serial.clone(),
        pin: pin_state(&seen.info),
        marker,
        wrap_format: wrap_format(context, seen)?,
    })
}

/// How the token wraps: CKM_AES_KEY_WRAP, else CKM_AES_GCM, and never anything without integrity.
pub(crate) fn wrap_format(context: &Pkcs11, seen: &Seen) -> Result<Option<WrapFormat>, Fault> {
    if offers(context, seen, WrapFormat::AesKeyWrap)? {
        Ok(Some(WrapFormat::AesKeyWrap))
    } else if offers(context, seen, WrapFormat::AesGcm)? {
        Ok(Some(WrapFormat::AesGcm))
    } else {
        Ok(None)
    }
}

fn offers(context: &Pkcs11, seen: &Seen, format: WrapFormat) -> Result<bool, Fault> {
    let failed = |error| {
        fault(
            Operation::Other,
            format!(
                "the token {:?} (serial {}) does not say which mechanisms it has",
                seen.label, seen.serial
            ),
            error,
        )
    };
    let mechanism = match format {
        WrapFormat::AesKeyWrap => MechanismType::AES_KEY_WRAP,
        WrapFormat::AesGcm => MechanismType::AES_GCM,
    };
    let listed = context.get_mechanism_list(seen.slot).map_err(failed)?;
    if !listed.contains(&mechanism) {
        return Ok(false);
    }
    match context.get_mechanism_info(seen.slot, mechanism) {
        Ok(info) => Ok(match format {
            WrapFormat::AesKeyWrap => info.wrap() && info.unwrap(),
            WrapFormat::AesGcm => info.encrypt() && info.decrypt(),
        }),
        Err(error) if is(&error, RvError::MechanismInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
