//! A token is forgotten: its copy of the DEK goes, and no other. A token that was stolen must be.

use std::time::Duration;

use domain::{CacheCopy, Forgotten, KekState};
use ports::{EventKind, Found, PinState, Sealing, Secret, TokenCopy};

use super::password::prove;
use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::{copies, dek_ways, lock, session};

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

/// Finishes a removal that was cut short after its commit. The token is not known any more then, so
/// that nobody who asks for it to be forgotten again would come to that.
///
/// # Errors
/// A node without keys, or whoever keeps the database from being rebuilt.
pub fn finish_forgetting(recorder: &mut Recorder<'_>, lock_wait: Duration) -> Result<(), Error> {
    let node = recorder.node;
    if !SealedNode::read(node)?.record.is_scrub_due {
        return Ok(());
    }
    let _lock = lock::acquire_installed(node, lock_wait)?;
    scrub(recorder)
}

fn scrub(recorder: &mut Recorder<'_>) -> Result<(), Error> {
    let database = recorder.node.settings.database_path.clone();
    recorder.scrub().map_err(|fault| {
        let source = Box::new(fault);
        Refused::NotScrubbed { database, source }.into()
    })
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
    scrub(recorder)
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
        Forgotten::OfAnother => Refused::LastWay {
            label,
            serial,
            has_backup_password,
        },
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
    let kek = dek_ways::opens(node, &*session, &record.sealing, in_use)?;
    Ok((Forgotten::OfAnother, kek))
}

fn tell_what_is_left(recorder: &mut Recorder<'_>, sealing: &Sealing, copy: &TokenCopy) {
    if copy.wrapped.is_none() {
        return;
    }
    if copies::others(sealing, &copy.serial).next().is_none() {
        let node = recorder.node;
        let is_cached = (node.secrets.cache.read())
            .is_ok_and(|cached| dek_ways::cache_copy(node, sealing, &cached) == CacheCopy::Ours);
        let next = if is_cached {
            "the cache and the backup password alone do: `trustpointctl keys rotate-kek` wraps it for \
             a token again, and `trustpointctl recover` where the node is restarted first"
        } else {
            "the backup password alone does: `trustpointctl startup` and then `trustpointctl recover` \
             wrap it for a token again"
        };
        let warning = format!("no token opens the DEK any more, {next}");
        recorder.report.warnings.push(warning);
    }
    recorder.report.warnings.push(
        "backups and snapshots made before this still hold what was forgotten: whoever has one of \
         them, the token and its PIN has the DEK"
            .to_owned(),
    );
}
