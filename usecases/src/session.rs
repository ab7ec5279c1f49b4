//! The way to the keys on the token of a node: its module is reached, its token found and seen to
//! be this node's, its user logged in, its wrapped DEK unwrapped. Each of these stands here once.

use std::time::Duration;

use domain::InstallationId;
use ports::{
    Dek, FaultKind, Found, NodeRecord, ReachedModule, Secret, TokenInfo, TokenQuery, TokenRecord,
    TokenSession,
};

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;

/// Which token a node means: its label, and what its database remembers of it.
#[must_use]
pub fn query(node: &Node, record: Option<&NodeRecord>) -> TokenQuery {
    let remembered = record.and_then(|record| record.token.as_ref());
    TokenQuery {
        label: node.settings.token_label.clone(),
        serial: (node.settings.token_serial.clone())
            .or_else(|| remembered.map(|token| token.serial.clone())),
        installation: record.and_then(|record| record.installation.clone()),
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
    let found = module.find(&query(node, record))?;
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
pub fn unwrap(session: &dyn TokenSession, known: &TokenRecord) -> Result<Unwrapped, Error> {
    let Some(kek) = &known.kek else {
        return Ok(Unwrapped::NoKek);
    };
    if !session.has_kek(kek)? {
        return Ok(Unwrapped::NoKek);
    }
    let Some(blob) = &known.encrypted_dek else {
        return Ok(Unwrapped::NothingWrapped);
    };
    match session.unwrap_dek(kek, blob) {
        Ok(dek) => Ok(Unwrapped::Dek(dek)),
        Err(error) if error.kind() == FaultKind::DataCorrupt => {
            Ok(Unwrapped::Damaged(error.into()))
        }
        Err(error) => Err(error.into()),
    }
}
