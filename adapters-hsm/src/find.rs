//! Which of the tokens of a module is meant.

use domain::InstallationId;
use ports::{TokenError, TokenName, TokenQuery};

use crate::marker;
use crate::module::Module;
use crate::session;
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
    Present(Box<SlotToken>),
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
    let mut candidates: Vec<SlotToken> = slots.labelled(&query.label).cloned().collect();
    match candidates.len() {
        0 => {}
        1 => return Ok(Search::Present(Box::new(candidates.remove(0)))),
        _ => {
            let token = choose(module, candidates, query)?;
            return Ok(Search::Present(Box::new(token)));
        }
    }
    slots.ensure_complete(query, module.path())?;
    let others: Vec<TokenName> = slots.tokens.into_iter().map(|token| token.name).collect();
    let quirks = module.quirks();
    if let Some(slot) = slots.free.first()
        && !quirks.may_initialise
    {
        return Err(TokenError::NotInitialised {
            module: module.path().to_string(),
            label: query.label.clone(),
            slot: slot.id(),
        });
    }
    if quirks.label_is_configured && !others.is_empty() {
        return Err(TokenError::OtherLabels {
            module: module.path().to_string(),
            label: query.label.clone(),
            others: others.into_iter().map(|other| other.label).collect(),
        });
    }
    Ok(Search::Absent {
        others,
        free_slot: !slots.free.is_empty(),
    })
}

/// Of several tokens the one with the serial number, else the one with our marker.
fn choose(
    module: &Module,
    candidates: Vec<SlotToken>,
    query: &TokenQuery,
) -> Result<SlotToken, TokenError> {
    let mut marked = Vec::new();
    for token in candidates {
        let session = session::open(module.context(), &token)?;
        let marker = marker::read(&session, &token.name)?;
        let serial = token.name_by(marker.as_ref()).serial;
        marked.push((token, serial, marker.map(|marker| marker.installation)));
    }
    let serials = marked.iter().map(|(_, serial, _)| serial.clone()).collect();
    let keep_only = |marked: &mut Vec<_>, is_meant: &dyn Fn(&Candidate) -> bool| {
        if marked.iter().filter(|token| is_meant(token)).count() == 1 {
            marked.retain(|token| is_meant(token));
        }
    };
    if let Some(meant) = &query.serial {
        keep_only(&mut marked, &|(_, serial, _)| serial == meant);
    }
    if query.installation.is_some() {
        keep_only(&mut marked, &|(_, _, marker)| *marker == query.installation);
    }
    match (marked.pop(), marked.is_empty()) {
        (Some((only, ..)), true) => Ok(only),
        _ => Err(TokenError::Ambiguous {
            label: query.label.clone(),
            serials,
        }),
    }
}

/// A token with what its marker says: its serial number, and whose it is.
type Candidate = (SlotToken, String, Option<InstallationId>);
