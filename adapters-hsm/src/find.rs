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
    let slots = Slots::of(module)?;
    let candidates: Vec<SlotToken> = slots.labelled(&query.label).cloned().collect();
    if let Some(known) = by_own_serial(&candidates, query) {
        return Ok(Search::Present(Box::new(known)));
    }
    let (meant, others) = by_marker(module, candidates, query)?;
    if let Some(token) = meant {
        return Ok(Search::Present(Box::new(token)));
    }
    // What is known, or asked for, is not shown.
    let is_known = query.serial.is_some() || !query.known.is_empty();
    if is_known || others.is_empty() {
        slots.ensure_complete(&query.label, is_known, module.path())?;
    }
    match others.as_slice() {
        [] => absent(module, slots, query),
        _ if query.serial.is_some() => absent(module, slots, query),
        [only] => Ok(Search::Present(Box::new(only.token.clone()))),
        several => Err(TokenError::Ambiguous {
            label: query.label.clone(),
            serials: several.iter().map(|other| other.serial.clone()).collect(),
        }),
    }
}

/// The first that is known by a serial number of its own: nobody has to look at the others.
fn by_own_serial(candidates: &[SlotToken], query: &TokenQuery) -> Option<SlotToken> {
    let wanted = match &query.serial {
        Some(serial) => std::slice::from_ref(serial),
        None => &query.known,
    };
    wanted.iter().find_map(|serial| {
        let with_it: Vec<_> = candidates
            .iter()
            .filter(|token| token.name.serial == *serial && token.has_serial())
            .collect();
        match with_it.as_slice() {
            [only] => Some((*only).clone()),
            _ => None,
        }
    })
}

/// A token with what its marker says: its number, and whose it is.
struct Candidate {
    token: SlotToken,
    serial: String,
    installation: Option<InstallationId>,
}

/// The one that a marker makes known, and all of them where there is none.
fn by_marker(
    module: &Module,
    candidates: Vec<SlotToken>,
    query: &TokenQuery,
) -> Result<(Option<SlotToken>, Vec<Candidate>), TokenError> {
    let mut read = Vec::new();
    for token in candidates {
        let session = session::open(module.context(), &token)?;
        let marker = marker::read(&session, &token.name)?;
        read.push(Candidate {
            serial: token.name_by(marker.as_ref()).serial,
            installation: marker.map(|marker| marker.installation),
            token,
        });
    }
    let only = |is_meant: &dyn Fn(&Candidate) -> bool| {
        let mut meant = read.iter().filter(|candidate| is_meant(candidate));
        match (meant.next(), meant.next()) {
            (Some(only), None) => Some(only.token.clone()),
            _ => None,
        }
    };
    let meant = match &query.serial {
        // The number of a marker, or the one that the token gives itself and shares with others.
        Some(serial) => {
            only(&|candidate| candidate.serial == *serial || candidate.token.name.serial == *serial)
        }
        None => (query.known.iter())
            .find_map(|serial| only(&|candidate| candidate.serial == *serial))
            .or_else(|| {
                let installation = query.installation.as_ref()?;
                only(&|candidate| candidate.installation.as_ref() == Some(installation))
                    .filter(|_| read.len() > 1)
            }),
    };
    Ok((meant, read))
}

fn absent(module: &Module, slots: Slots, query: &TokenQuery) -> Result<Search, TokenError> {
    let path = || module.path().to_string();
    let label = || query.label.clone();
    if query.can_be_away && !query.known.is_empty() {
        return Err(TokenError::TokenAway {
            label: label(),
            serials: query.known.clone(),
            module: path(),
        });
    }
    let others: Vec<TokenName> = slots.tokens.into_iter().map(|token| token.name).collect();
    if let Some(serial) = &query.serial
        && !query.known.contains(serial)
    {
        return Err(TokenError::OtherSerials {
            label: label(),
            serial: serial.clone(),
            module: path(),
            others,
        });
    }
    let quirks = module.quirks();
    if let Some(slot) = slots.free.first()
        && !quirks.may_initialise
    {
        return Err(TokenError::NotInitialised {
            module: path(),
            label: label(),
            slot: slot.id(),
        });
    }
    if quirks.label_is_configured && others.iter().all(|other| other.label != query.label) {
        return Err(TokenError::OtherLabels {
            module: path(),
            label: label(),
            others: others.into_iter().map(|other| other.label).collect(),
        });
    }
    Ok(Search::Absent {
        others,
        free_slot: !slots.free.is_empty(),
    })
}
