//! The way to the keys on the token of a node: its module is reached, its token found and seen to
//! be this node's, its user logged in, its wrapped DEK unwrapped. Each of these stands here once.

use std::time::Duration;

use domain::InstallationId;
use ports::{
    Dek, FaultKind, Found, NodeRecord, ReachedModule, Sealing, Secret, TokenCopy, TokenError,
    TokenInfo, TokenQuery, TokenSession,
};

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;

/// Which token a node means: its label, and the one that wrapped the DEK last.
fn query(node: &Node, record: Option<&NodeRecord>) -> TokenQuery {
    let newest = record.and_then(|record| record.sealing.newest_copy());
    TokenQuery {
        label: node.settings.token_label.clone(),
        serial: (node.settings.token_serial.clone())
            .or_else(|| newest.map(|copy| copy.serial.clone())),
        installation: record.and_then(|record| record.installation.clone()),
    }
}

/// Looks for the token of a database, whichever installation it belongs to. Where the one that is
/// meant is away and several others with its label are there, one of those that have a copy is
/// meant.
///
/// # Errors
/// The token.
pub fn find_any(
    node: &Node,
    module: Box<dyn ReachedModule>,
    record: Option<&NodeRecord>,
) -> Result<Found, Error> {
    let query = query(node, record);
    let fault = match module.find(&query) {
        Ok(found) => return Ok(found),
        Err(fault) => fault,
    };
    let TokenError::Ambiguous { serials, .. } = &fault else {
        return Err(fault.into());
    };
    let copies = record.map_or(&[][..], |record| &record.sealing.copies);
    let with_copy = copies
        .iter()
        .rev()
        .find(|copy| copy.wrapped.is_some() && serials.contains(&copy.serial));
    match with_copy {
        Some(copy) if node.settings.token_serial.is_none() => {
            let serial = Some(copy.serial.clone());
            // It was reached just now, and stays loaded.
            let module = reach(node, Duration::ZERO)?;
            Ok(module.find(&TokenQuery { serial, ..query })?)
        }
        Some(_) | None => Err(fault.into()),
    }
}

/// Reaches the module; that it has to be waited for is said once.
///
/// # Errors
/// It does not answer.
pub fn reach(node: &Node, wait: Duration) -> Result<Box<dyn ReachedModule>, Error> {
    let mut told = false;
    let reached = node.secrets.module.reach(wait, &mut |error| {
        if !told {
            node.host
                .output
                .info(&format!("waiting for the HSM, {wait:?} at most: {error}"));
            told = true;
        }
    })?;
    Ok(reached)
}

/// Looks for the token of a node; one of another installation is refused.
///
/// # Errors
/// The token, and as [`ensure_ours`].
pub fn find(
    node: &Node,
    module: Box<dyn ReachedModule>,
    record: Option<&NodeRecord>,
) -> Result<Found, Error> {
    let found = find_any(node, module, record)?;
    if let Found::Present(token) = &found {
        let ours = record.and_then(|record| record.installation.as_ref());
        ensure_ours(node, token.info(), ours)?;
    }
    Ok(found)
}

/// A token of another installation is named as such, never used (C23).
///
/// # Errors
/// [`FaultKind::Config`] where it is another's.
pub fn ensure_ours(
    node: &Node,
    token: &TokenInfo,
    ours: Option<&InstallationId>,
) -> Result<(), Refused> {
    match &token.marker {
        Some(theirs) if ours != Some(theirs) => Err(Refused::ForeignToken {
            label: token.label.clone(),
            serial: token.serial.clone(),
            theirs: theirs.to_string(),
            database: node.settings.database_path.clone(),
            ours: ours.map_or("(none yet)".to_owned(), ToString::to_string),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Finds the token and logs in; `None` where it is not there. The PIN is asked for only then.
///
/// # Errors
/// As [`find`], and a login that is refused.
pub fn open(
    node: &Node,
    module: Box<dyn ReachedModule>,
    record: &NodeRecord,
    pin: impl FnOnce() -> Result<Secret, Error>,
) -> Result<Option<Box<dyn TokenSession>>, Error> {
    match find(node, module, Some(record))? {
        Found::Present(token) => Ok(Some(token.log_in(&pin()?)?)),
        Found::Absent { .. } => Ok(None),
    }
}

/// The copy of the DEK that a token is asked for: the one that is kept for it. Where there is none,
/// one whose KEK is on it all the same, as on a token that was restored and has another serial
/// number since.
///
/// # Errors
/// The token.
pub fn copy_for<'a>(
    node: &Node,
    session: &dyn TokenSession,
    sealing: &'a Sealing,
) -> Result<Option<&'a TokenCopy>, Error> {
    let own = sealing.copy_of(&session.info().serial);
    if own.is_some_and(|copy| copy.wrapped.is_some()) {
        return Ok(own);
    }
    for copy in &sealing.copies {
        let blob = copy.wrapped.as_ref().map(|wrapped| &wrapped.dek);
        let named = blob.and_then(|blob| node.secrets.blobs.kek_of(blob));
        for kek in copy.kek.iter().chain(&named) {
            if blob.is_some() && session.has_kek(kek)? {
                return Ok(Some(copy));
            }
        }
    }
    Ok(own)
}

/// What the token makes of the wrapped DEK of a database.
pub enum Unwrapped {
    /// The database names no KEK, or it is not on the token.
    NoKek,
    /// The KEK is there; the database holds no DEK that one has wrapped.
    NothingWrapped,
    /// What is stored cannot be right, and why.
    Damaged(Error),
    /// A DEK. Whose it is, `dek_ways::is_dek_of` says.
    Dek(Dek),
}

/// Unwraps the DEK with the KEK that the database names.
///
/// # Errors
/// The token.
pub fn unwrap(session: &dyn TokenSession, copy: &TokenCopy) -> Result<Unwrapped, Error> {
    let Some(kek) = &copy.kek else {
        return Ok(Unwrapped::NoKek);
    };
    if !session.has_kek(kek)? {
        return Ok(Unwrapped::NoKek);
    }
    let Some(wrapped) = &copy.wrapped else {
        return Ok(Unwrapped::NothingWrapped);
    };
    match session.unwrap_dek(kek, &wrapped.dek) {
        Ok(dek) => Ok(Unwrapped::Dek(dek)),
        Err(error) if error.kind() == FaultKind::DataCorrupt => {
            Ok(Unwrapped::Damaged(error.into()))
        }
        Err(error) => Err(error.into()),
    }
}
