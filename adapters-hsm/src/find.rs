//! Which of the tokens of a module is meant.

use cryptoki::context::Pkcs11;
use domain::InstallationId;
use ports::{Fault, FaultKind, TokenInfo, TokenQuery};

use crate::marker;
use crate::module::Module;
use crate::slots::{SlotToken, Slots, pin_state, trimmed, wrap_format};

/// The longest label of a token in bytes (CK_TOKEN_INFO).
const LABEL_LENGTH: usize = 32;

/// What came of looking for a token.
pub(crate) enum Search {
    /// No initialised token with the label.
    Absent {
        /// Labels of the initialised tokens that are there.
        others: Vec<String>,
        /// Whether a slot is free to be initialised.
        free_slot: bool,
    },
    /// The token.
    Present(TokenInfo),
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
pub(crate) fn find(module: &Module, query: &TokenQuery) -> Result<Search, Fault> {
    check_label(&query.label)?;
    let mut slots = Slots::of(module)?;
    let candidates: Vec<SlotToken> = slots.labelled(&query.label).cloned().collect();
    if candidates.is_empty() {
        slots.ensure_complete(query, module.path())?;
        return Ok(Search::Absent {
            others: slots.tokens.into_iter().map(|token| token.label).collect(),
            free_slot: !slots.free.is_empty(),
        });
    }
    let context = module.context();
    let (token, marker) = choose(context, candidates, query)?;
    describe(context, &token, marker).map(Search::Present)
}

/// Of several tokens the one with the serial number, else the one with our marker.
fn choose(
    context: &Pkcs11,
    mut candidates: Vec<SlotToken>,
    query: &TokenQuery,
) -> Result<(SlotToken, Option<InstallationId>), Fault> {
    let serials: Vec<String> = candidates
        .iter()
        .map(|token| token.serial.clone())
        .collect();
    if candidates.len() > 1
        && let Some(serial) = &query.serial
        && serials.contains(serial)
    {
        candidates.retain(|token| token.serial == *serial);
    }
    let mut marked = Vec::new();
    for token in candidates {
        let marker = marker::read(context, &token)?;
        marked.push((token, marker));
    }
    if marked.len() > 1 && query.installation.is_some() {
        let ours = |(_, marker): &&(SlotToken, _)| *marker == query.installation;
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
    token: &SlotToken,
    marker: Option<InstallationId>,
) -> Result<TokenInfo, Fault> {
    Ok(TokenInfo {
        label: token.label.clone(),
        serial: token.serial.clone(),
        pin: pin_state(&token.info),
        marker,
        wrap_format: wrap_format(context, token)?,
    })
}
