//! The way to the keys on the token of a node: its module is reached, its token found and seen to
//! be this node's, its user logged in, its wrapped DEK unwrapped. Each of these stands here once.

use std::time::Duration;

use domain::InstallationId;
use ports::{
    Dek, FaultKind, Found, NodeRecord, Patience, ReachedModule, Sealing, Secret, TokenCopy,
    TokenError, TokenInfo, TokenQuery, TokenSession,
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

/// What was seen of the HSM without a login.
pub struct Seen {
    /// What answered, for the report.
    pub hsm: String,
    /// The token of this node, or that it is not there.
    pub found: Found,
}

/// Reaches the module in one try.
///
/// # Errors
/// It does not answer.
pub fn reach(node: &Node) -> Result<Box<dyn ReachedModule>, Error> {
    Ok(node.secrets.module.reach(&mut Patience::none())?)
}

/// Reaches the module and looks for the token of a node, whosever it is. That the HSM has to be
/// waited for is said once.
///
/// # Errors
/// The HSM or its token cannot be asked for as long as is waited.
pub fn look_for(node: &Node, wait: Duration, record: Option<&NodeRecord>) -> Result<Seen, Error> {
    let mut told = false;
    let mut tell = |error: &TokenError| {
        if !told {
            node.host
                .output
                .info(&format!("waiting for the HSM, {wait:?} at most: {error}"));
            told = true;
        }
    };
    let mut patience = Patience::new(wait, &mut tell);
    let mut ask = |query: &TokenQuery| -> Result<Seen, TokenError> {
        let module = node.secrets.module.reach(&mut patience)?;
        Ok(Seen {
            hsm: module.description().to_owned(),
            found: module.find(query, &mut patience)?,
        })
    };
    let query = query(node, record);
    match ask(&query) {
        Err(fault) => match serial_with_copy(node, &fault, record) {
            serial @ Some(_) => Ok(ask(&TokenQuery { serial, ..query })?),
            None => Err(fault.into()),
        },
        Ok(seen) => Ok(seen),
    }
}

/// Of several tokens with the label, where the one that is meant is away: one that has a copy, unless
/// the configuration asks for another.
fn serial_with_copy(
    node: &Node,
    fault: &TokenError,
    record: Option<&NodeRecord>,
) -> Option<String> {
    let TokenError::Ambiguous { serials, .. } = fault else {
        return None;
    };
    if node.settings.token_serial.is_some() {
        return None;
    }
    let mut copies = record?.sealing.copies.iter().rev();
    copies
        .find(|copy| copy.wrapped.is_some() && serials.contains(&copy.serial))
        .map(|copy| copy.serial.clone())
}

/// The same; a token of another installation is refused.
///
/// # Errors
/// As [`look_for`] and [`ensure_ours`].
pub fn find(node: &Node, wait: Duration, record: Option<&NodeRecord>) -> Result<Seen, Error> {
    let seen = look_for(node, wait, record)?;
    if let Found::Present(token) = &seen.found {
        let ours = record.and_then(|record| record.installation.as_ref());
        ensure_ours(node, token.info(), ours)?;
    }
    Ok(seen)
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
    wait: Duration,
    record: &NodeRecord,
    pin: impl FnOnce() -> Result<Secret, Error>,
) -> Result<Option<Box<dyn TokenSession>>, Error> {
    match find(node, wait, Some(record))?.found {
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
