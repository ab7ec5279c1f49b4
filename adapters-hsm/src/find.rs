//! Which of the tokens of a module is meant.

use cryptoki::context::Pkcs11;
use domain::InstallationId;
use ports::{TokenError, TokenInfo, TokenName, TokenQuery};

use crate::marker;
use crate::module::Module;
use crate::slots::{SlotToken, Slots, trimmed};

/// The longest label of a token in bytes (CK_TOKEN_INFO).
const LABEL_LENGTH: usize = 32;

/// What came of looking for a token.
pub(crate) enum Search {
    /// No initialised token with the label.
    Absent {
        /// The initialised tokens that are there.
        others: Vec<TokenName>,
        /// Whether a slot is free to be initialised.
        free_slot: bool,
    },
    /// The token.
    Present(TokenInfo),
}

/// Refuses a label that no token can have.
pub(crate) fn ensure_label(label: &str) -> Result<(), TokenError> {
    if !label.is_empty() && label.len() <= LABEL_LENGTH && trimmed(label) == label {
        return Ok(());
    }
    Err(TokenError::ImpossibleLabel(label.to_owned()))
}

/// Looks for the token that is meant.
pub(crate) fn find(module: &Module, query: &TokenQuery) -> Result<Search, TokenError> {
    ensure_label(&query.label)?;
    let mut slots = Slots::of(module)?;
    let candidates: Vec<SlotToken> = slots.labelled(&query.label).cloned().collect();
    if candidates.is_empty() {
        slots.ensure_complete(query, module.path())?;
        return Ok(Search::Absent {
            others: slots.tokens.into_iter().map(|token| token.name).collect(),
            free_slot: !slots.free.is_empty(),
        });
    }
    let context = module.context();
    let (token, marker) = choose(context, candidates, query)?;
    token.describe(context, marker).map(Search::Present)
}

/// Of several tokens the one with the serial number, else the one with our marker.
fn choose(
    context: &Pkcs11,
    mut candidates: Vec<SlotToken>,
    query: &TokenQuery,
) -> Result<(SlotToken, Option<InstallationId>), TokenError> {
    let serials: Vec<String> = candidates
        .iter()
        .map(|token| token.name.serial.clone())
        .collect();
    if candidates.len() > 1
        && let Some(serial) = &query.serial
        && serials.contains(serial)
    {
        candidates.retain(|token| token.name.serial == *serial);
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
        _ => Err(TokenError::Ambiguous {
            label: query.label.clone(),
            serials,
        }),
    }
}
