//! The KEK of a token, and the DEK that it wraps: made, checked, and stored as that token's copy.

use domain::KekId;
use ports::{Dek, Event, EventKind, KekCopy, Sealing, TokenCopy, TokenInfo, TokenSession};

use crate::error::Error;
use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;
use crate::refused::Refused;

/// A new KEK. Its id is committed before it is generated: a command that dies in between finds
/// the key again, and leaves no stray one on the token.
///
/// # Errors
/// The token or the database.
pub fn new_kek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    sealing: &Sealing,
) -> Result<KekId, Error> {
    let node = recorder.node;
    let known = sealing.copy_of(&session.info().serial);
    let noted = known.and_then(|known| {
        let pending = known.pending_kek.clone();
        pending.filter(|pending| known.kek.as_ref() != Some(pending))
    });
    let half = match &noted {
        Some(kek) if session.has_kek(kek)? => {
            if wraps(node, session, kek)? {
                let detail = format!("the KEK {kek} of a try that was cut short is used");
                recorder.note("generate_kek", false, &detail);
                return Ok(kek.clone());
            }
            noted.clone()
        }
        Some(_) | None => None,
    };
    let kek = match noted {
        Some(kek) if half.is_none() => kek,
        Some(_) | None => {
            let kek = session.new_kek_id()?;
            let mut copy = known
                .cloned()
                .unwrap_or_else(|| blank(node, session.info()));
            copy.pending_kek = Some(kek.clone());
            node.store.record.save_copy(&copy, None, None)?;
            kek
        }
    };
    session.generate_kek_as(&kek)?;
    recorder.note("generate_kek", true, &format!("KEK {kek}"));
    if let Some(half) = half
        && wraps(node, session, &kek)?
    {
        // SoftHSM writes a key in parts, and what it was killed at is half a key. That the token
        // wraps with another one shows that it is the key, and not the token, that is no good.
        let destroyed = session.destroy_kek(&half)?;
        let detail = format!("the KEK {half}, which was never whole");
        recorder.note("destroy_kek", destroyed, &detail);
    }
    Ok(kek)
}

/// Whether the KEK wraps and unwraps a key that was made to try it.
fn wraps(node: &Node, session: &dyn TokenSession, kek: &KekId) -> Result<bool, Error> {
    let probe = node.secrets.crypto.generate()?;
    match session.wrap_dek(kek, &probe) {
        Ok(_) => Ok(true),
        Err(error) if error.is_unanswered() => Err(error.into()),
        Err(error) => {
            let why = format!("the KEK {kek} wraps nothing: {error}");
            node.host.output.warning(&why);
            Ok(false)
        }
    }
}

/// A DEK, and the KEK that is to wrap it.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The KEK.
    pub kek: &'a KekId,
    /// The DEK.
    pub dek: &'a Dek,
}

/// Wraps the DEK with the KEK and stores that as this token's copy, in one transaction; the copies
/// of other tokens stay. `done` is what that does to a node that was set up before.
///
/// # Errors
/// The token or the database.
pub fn store(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
    done: Option<EventKind>,
) -> Result<(), Error> {
    let node = recorder.node;
    let copy = wrapped(
        node,
        session,
        keys,
        next_copy(node, session.info(), sealing),
    )?;
    let event = done.map(|done| event(node, session, keys, done));
    save(recorder, keys, &copy, event.as_ref())
}

/// The same with a DEK that was just made: every copy of the one before goes.
///
/// # Errors
/// The token or the database.
pub fn store_new_dek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
) -> Result<(), Error> {
    let node = recorder.node;
    let copy = wrapped(
        node,
        session,
        keys,
        next_copy(node, session.info(), sealing),
    )?;
    let check_value = node.secrets.crypto.check_value(keys.dek);
    node.store.record.replace_dek(&copy, &check_value)?;
    note_stored(recorder, keys);
    Ok(())
}

/// The same as [`store`] in the middle of a rotation: the KEK of `known`, which wrapped the DEK
/// before, stays known, and so does that the rotation is not finished.
///
/// # Errors
/// The token or the database.
pub fn store_rotated(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
    known: Option<&TokenCopy>,
) -> Result<(), Error> {
    let node = recorder.node;
    let mut copy = next_copy(node, session.info(), sealing);
    if let Some(old) = known.and_then(|known| known.kek.as_ref())
        && session.has_kek(old)?
    {
        copy.retired_keks.push(old.clone());
    }
    copy.pending_kek = Some(keys.kek.clone());
    let copy = wrapped(node, session, keys, copy)?;
    let event = event(node, session, keys, EventKind::KekRotated);
    save(recorder, keys, &copy, Some(&event))
}

fn wrapped(
    node: &Node,
    session: &dyn TokenSession,
    Keys { kek, dek }: Keys<'_>,
    mut copy: TokenCopy,
) -> Result<TokenCopy, Error> {
    copy.wrapped = Some(KekCopy {
        dek: session.wrap_dek(kek, dek)?,
        at: Some(node.host.clock.now()),
    });
    copy.kek = Some(kek.clone());
    copy.retired_keks.retain(|retired| retired != kek);
    Ok(copy)
}

fn save(
    recorder: &mut Recorder<'_>,
    keys: Keys<'_>,
    copy: &TokenCopy,
    event: Option<&Event>,
) -> Result<(), Error> {
    let node = recorder.node;
    let check_value = node.secrets.crypto.check_value(keys.dek);
    node.store
        .record
        .save_copy(copy, Some(&check_value), event)?;
    note_stored(recorder, keys);
    Ok(())
}

fn note_stored(recorder: &mut Recorder<'_>, keys: Keys<'_>) {
    let detail = format!("the KEK {} wraps the DEK; checked, stored", keys.kek);
    recorder.note("wrap_dek", true, &detail);
}

fn event(node: &Node, session: &dyn TokenSession, keys: Keys<'_>, done: EventKind) -> Event {
    node.event(done, wrapped_by(keys.kek, session.info()))
}

/// For the history: which KEK wraps the DEK, and where it is.
pub fn wrapped_by(kek: &KekId, token: &TokenInfo) -> String {
    format!(
        "KEK {kek} on token {:?}, serial {}",
        token.label, token.serial
    )
}

/// What stays known of a token whose KEK wraps the DEK anew.
fn next_copy(node: &Node, token: &TokenInfo, sealing: &Sealing) -> TokenCopy {
    let mut copy = blank(node, token);
    if let Some(known) = sealing.copy_of(&token.serial) {
        copy.retired_keks = known.retired_keks.clone();
    }
    copy
}

fn blank(node: &Node, token: &TokenInfo) -> TokenCopy {
    TokenCopy {
        label: token.label.clone(),
        serial: token.serial.clone(),
        module_path: node.settings.module_path.clone(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        wrapped: None,
    }
}

/// The copy of this token, as it was committed.
///
/// # Errors
/// The database, or one that knows nothing of the token.
pub fn stored(node: &Node, token: &TokenInfo) -> Result<TokenCopy, Error> {
    let record = record::read(node)?;
    record
        .sealing
        .copy_of(&token.serial)
        .cloned()
        .ok_or_else(|| {
            Refused::NoToken {
                database: node.settings.database_path.clone(),
                serial: token.serial.clone(),
            }
            .into()
        })
}
