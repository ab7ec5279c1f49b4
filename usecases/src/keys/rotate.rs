//! A new KEK for the same DEK.
//!
//! Each step may be the last before the power goes; running it again finishes the rotation. The
//! old KEK goes last, and only where that was asked for: until then the old blob, in a backup for
//! example, still opens.

use std::time::Duration;

use domain::KekId;
use ports::{Dek, FaultKind, TokenCopy, TokenError, TokenSession};

use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::lock;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;

use crate::copies;
use crate::token::TokenAccess;
use crate::wrap::{self, Keys};

/// What the operator wants.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Whether the KEKs that wrapped the DEK before are destroyed.
    pub destroy_old: bool,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Rotates the KEK.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn rotate(recorder: &mut Recorder<'_>, request: Rotation) -> Result<(), Error> {
    let node = recorder.node;
    let _lock = lock::acquire_installed(node, request.lock_wait)?;
    let sealed = SealedNode::read(node)?;
    let access = TokenAccess::look(node, sealed.hsm, Some(&sealed.record))?;
    // Where the database names another KEK than the wrapped DEK, that one is retired.
    let known = match access.session() {
        Some(session) => sealed.copy_for(node, session)?,
        None => None,
    };
    let dek = dek(node, &sealed, access.session(), known.as_ref())?;

    let session = access.open(recorder)?;
    let serial = session.info().serial.clone();
    match committed(&*session, known.as_ref())? {
        Some(kek) => recorder.note(
            "generate_kek",
            false,
            &format!("the rotation to the KEK {kek}, which was cut short, is finished"),
        ),
        None => {
            let sealing = &sealed.record.sealing;
            let kek = &wrap::new_kek(recorder, &*session, sealing)?;
            let keys = Keys { kek, dek: &dek };
            wrap::store_rotated(recorder, &*session, keys, sealing, known.as_ref())?;
            if known.is_none_or(|known| known.wrapped.is_none()) {
                let others = copies::others(sealing, &serial)
                    .map(|copy| copies::advice(recorder.node, copy));
                recorder.report.warnings.extend(others);
            }
        }
    }
    let stored = verify(recorder, &*session, &dek)?;
    finish(recorder, &*session, stored, request.destroy_old)
}

/// The DEK: unwrapped by the KEK, or of the cache where the KEK is gone or its blob is broken.
fn dek(
    node: &Node,
    sealed: &SealedNode,
    session: Option<&dyn TokenSession>,
    copy: Option<&TokenCopy>,
) -> Result<Dek, Error> {
    let unwrapped = match (session, copy) {
        (Some(session), Some(copy)) => sealed.unwrapped(node, session, copy),
        (None, _) | (_, None) => Ok(None),
    };
    let fault = match unwrapped {
        Ok(Some(dek)) => return Ok(dek),
        Ok(None) => sealed.out_of_reach(node).into(),
        Err(fault) if fault.kind() == FaultKind::DataCorrupt => fault,
        Err(fault) => return Err(fault),
    };
    sealed.cached(node)?.ok_or(fault)
}

/// The new KEK of a rotation that was committed and not finished.
fn committed(
    session: &dyn TokenSession,
    known: Option<&TokenCopy>,
) -> Result<Option<KekId>, Error> {
    let own = known.filter(|known| known.serial == session.info().serial);
    let Some((Some(kek), Some(pending))) = own.map(|own| (&own.kek, &own.pending_kek)) else {
        return Ok(None);
    };
    let is_committed = kek == pending && session.has_kek(kek)?;
    Ok(is_committed.then(|| kek.clone()))
}

/// Reads what was committed and unwraps it.
fn verify(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    dek: &Dek,
) -> Result<TokenCopy, Error> {
    let stored = wrap::stored(recorder.node, session.info())?;
    let wrong = |source: Option<TokenError>| Refused::NewKekFails {
        source: source.map(Box::new),
    };
    let (Some(kek), Some(wrapped)) = (&stored.kek, &stored.wrapped) else {
        return Err(wrong(None).into());
    };
    let unwrapped = session
        .unwrap_dek(kek, &wrapped.dek)
        .map_err(|error| wrong(Some(error)))?;
    if !unwrapped.is_same(dek) {
        return Err(wrong(None).into());
    }
    let detail = format!("read back: the KEK {kek} unwraps the DEK");
    recorder.note("verify_dek", false, &detail);
    Ok(stored)
}

/// Destroys the old KEKs where that was asked for, then notes that the rotation is over.
fn finish(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    mut stored: TokenCopy,
    destroy_old: bool,
) -> Result<(), Error> {
    let node = recorder.node;
    if destroy_old {
        for old in std::mem::take(&mut stored.retired_keks) {
            let destroyed = session.destroy_kek(&old)?;
            recorder.note("destroy_kek", destroyed, &format!("the old KEK {old}"));
        }
    } else if !stored.retired_keks.is_empty() {
        let ids: Vec<_> = stored.retired_keks.iter().map(KekId::to_string).collect();
        recorder.report.warnings.push(format!(
            "old KEKs are left on the token ({}): backups from before this rotation open with \
             them; `keys rotate-kek --destroy-old` removes them with the next rotation",
            ids.join(", ")
        ));
    }
    stored.pending_kek = None;
    Ok(node.store.record.save_copy(&stored, None, None)?)
}
