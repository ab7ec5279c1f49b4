//! Which of the tokens that a module shows is meant, and what it can do.

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::TokenInfo;
use domain::InstallationId;
use ports::{Fault, FaultKind, PinState, Token, TokenQuery, TokenSight, WrapFormat};

use crate::classify::{Operation, fault, is};
use crate::marker;
use crate::module::Module;
use crate::survey::{Seen, Survey, trimmed};

/// The longest label of a token in bytes (CK_TOKEN_INFO).
const LABEL_LENGTH: usize = 32;

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
