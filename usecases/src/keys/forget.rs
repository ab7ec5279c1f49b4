//! A token is forgotten: its copy of the DEK goes, and no other. A token that was stolen must be.

use std::time::Duration;

use domain::{Forgotten, KekState};
use ports::{EventKind, Found, PinState, Sealing, Secret, TokenCopy};

use super::password::prove;
use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::session::{self, Unwrapped};
use crate::{copies, dek_ways, lock};

/// What the operator wants.
pub struct Forget {
    /// Serial number of the token.
    pub serial: String,
    /// The backup password, where it is to prove that the DEK is not lost with this copy.
    pub password: Option<Secret>,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// What would be forgotten, in words, before anybody is asked whether it should be.
///
/// # Errors
/// A node without keys, or one that does not know the token.
pub fn to_forget(node: &Node, serial: &str) -> Result<String, Error> {
    let sealed = SealedNode::read(node)?;
    Ok(name(known(&sealed.record.sealing, serial)?))
}

/// Forgets the token.
///
/// # Errors
/// A token that is not known, a copy that may be the last way to the DEK, one in use without a proof
/// of another way, a token that cannot be asked; nothing was changed then.
pub fn forget(recorder: &mut Recorder<'_>, request: &Forget) -> Result<(), Error> {
    let node = recorder.node;
    let _lock = lock::acquire_installed(node, request.lock_wait)?;
    let sealed = SealedNode::read(node)?;
    let copy = known(&sealed.record.sealing, &request.serial)?;
    match &request.password {
        Some(password) => {
            prove(node, &sealed, password)?;
            let proven = "the backup password unwraps the DEK";
            recorder.note("unwrap_dek", false, proven);
        }
        None => ensure_another_way(node, &sealed, copy)?,
    }
    let event = node.event(EventKind::TokenForgotten, name(copy));
    let removed = node.store.record.forget_copy(&copy.serial, &event)?;
    recorder.note("forget_token", removed, &name(copy));
    tell_what_is_left(recorder, &sealed.record.sealing, copy);
    Ok(())
}

fn known<'a>(sealing: &'a Sealing, serial: &str) -> Result<&'a TokenCopy, Refused> {
    let serials = || sealing.copies.iter().map(|copy| copy.serial.clone());
    sealing
        .copy_of(serial)
        .ok_or_else(|| Refused::UnknownToken {
            serial: serial.to_owned(),
            known: serials().collect(),
        })
}

fn name(copy: &TokenCopy) -> String {
    format!("token {:?}, serial {}", copy.label, copy.serial)
}

/// Refuses to remove what may be the last way to the DEK. The token is asked, since what stands in
/// the database proves nothing.
fn ensure_another_way(node: &Node, sealed: &SealedNode, copy: &TokenCopy) -> Result<(), Error> {
    if copy.wrapped.is_none() {
        return Ok(());
    }
    let (which, kek) = ask_token(node, sealed, copy)?;
    let ways = dek_ways::ways(node, &sealed.record.sealing, kek)?;
    if ways.may_forget(which, false) {
        return Ok(());
    }
    let TokenCopy { label, serial, .. } = copy.clone();
    let has_backup_password = ways.has_backup_password;
    Err(match which {
        Forgotten::InUse => Refused::TokenInUse {
            label,
            serial,
            has_backup_password,
        },
        Forgotten::OfAnother => Refused::LastWay { label, serial },
    }
    .into())
}

/// Whether the copy is the one of the token in use, and whether that token opens the DEK.
fn ask_token(
    node: &Node,
    sealed: &SealedNode,
    copy: &TokenCopy,
) -> Result<(Forgotten, KekState), Error> {
    let record = &sealed.record;
    let wait = node.settings.hsm_wait;
    let token = match session::find(node, wait, Some(record))?.found {
        // A token that was just initialised holds no key.
        Found::Present(token) if token.info().pin != PinState::NotInitialised => token,
        Found::Present(_) | Found::Absent { .. } => {
            return Ok((Forgotten::OfAnother, KekState::Absent));
        }
    };
    let session = token.log_in(&node.secrets.pins.user_pin()?)?;
    let in_use = session::copy_for(node, &*session, &record.sealing)?;
    let Some(in_use) = in_use.filter(|in_use| in_use.serial != copy.serial) else {
        let which = match in_use {
            Some(_) => Forgotten::InUse,
            None => Forgotten::OfAnother,
        };
        return Ok((which, KekState::Absent));
    };
    let kek = match session::unwrap(&*session, in_use)? {
        Unwrapped::Dek(dek) if dek_ways::is_dek_of(node, &record.sealing, &dek) => {
            KekState::Unwraps
        }
        Unwrapped::Dek(_)
        | Unwrapped::NoKek
        | Unwrapped::NothingWrapped
        | Unwrapped::Damaged(_) => KekState::Absent,
    };
    Ok((Forgotten::OfAnother, kek))
}

fn tell_what_is_left(recorder: &mut Recorder<'_>, sealing: &Sealing, copy: &TokenCopy) {
    let warnings = &mut recorder.report.warnings;
    if copies::others(sealing, &copy.serial).next().is_none() {
        warnings.push(
            "no token opens the DEK any more: the backup password alone does, and `trustpointctl \
             recover` wraps it for a token again after the next start"
                .to_owned(),
        );
    }
    warnings.push(
        "backups and snapshots made before this still hold what was forgotten: whoever has one of \
         them, the token and its PIN has the DEK"
            .to_owned(),
    );
}
