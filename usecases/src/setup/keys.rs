//! WIZARD_SETUP_HSM: KEK and DEK.

use domain::{CacheCopy, CacheEvent, CacheFate, KekId, KekState};
use ports::{CachedDek, Dek, FaultKind, NodeRecord, Purpose, TokenRecord, TokenSession};

use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::{dek_ways, token};

/// The KEK and DEK of an earlier try where they work, new ones otherwise.
///
/// # Errors
/// The token, the database, or secrets that a new DEK would orphan.
pub fn keys(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    record: Option<&NodeRecord>,
) -> Result<(KekId, Dek), Error> {
    let node = recorder.node;
    let known = record.and_then(|record| record.token.as_ref());
    let kek = match known.and_then(|known| known.kek.as_ref()) {
        Some(kek) if session.has_kek(kek)? => Some(kek.clone()),
        Some(_) | None => None,
    };
    let dek = match (record, known) {
        (Some(record), Some(known)) => earlier_dek(recorder, session, record, known, kek.as_ref())?,
        _ => None,
    };
    let kek = match kek {
        Some(kek) => {
            let used = format!("the KEK {kek} is used as it is");
            recorder.note("generate_kek", false, &used);
            kek
        }
        None => token::new_kek(recorder, session, known)?,
    };
    let dek = match dek {
        Some(dek) => dek,
        None => new_dek(node, session)?,
    };
    Ok((kek, dek))
}

/// Refuses where an earlier DEK would be replaced that can still be had; asked before setup changes
/// anything.
///
/// # Errors
/// [`FaultKind::Config`], and the token.
pub fn ensure_nothing_replaced(
    node: &Node,
    record: &NodeRecord,
    session: Option<&dyn TokenSession>,
) -> Result<(), Error> {
    let Some(known) = record
        .token
        .as_ref()
        .filter(|known| dek_ways::is_sealed(known))
    else {
        return Ok(());
    };
    let has_kek = match (&known.kek, session) {
        (Some(kek), Some(session)) => session.has_kek(kek)?,
        _ => false,
    };
    let ways = dek_ways::ways(node, known, KekState::Absent)?;
    // One that the KEK has or the cache proves is used again, and nothing is replaced.
    if (has_kek && known.encrypted_dek.is_some()) || ways.cache == CacheCopy::Ours {
        return Ok(());
    }
    if ways.fate(CacheEvent::NewDek) != CacheFate::Refuse {
        return Ok(());
    }
    Err(Refused::DekReplaced {
        how: if ways.has_backup_password {
            "the backup password opens it".to_owned()
        } else {
            format!("{} may be the last copy", node.secrets.cache.path())
        },
        way_back: dek_ways::way_back(node, record, ways),
    }
    .into())
}

/// The DEK of an earlier setup: unwrapped, or of the cache; none, once a snapshot keeps what a new
/// DEK replaces.
fn earlier_dek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    record: &NodeRecord,
    known: &TokenRecord,
    kek: Option<&KekId>,
) -> Result<Option<Dek>, Error> {
    let node = recorder.node;
    if known.encrypted_dek.is_none() && known.backup_encrypted_dek.is_none() {
        return Ok(None);
    }
    let damaged = match (kek, &known.encrypted_dek) {
        (Some(kek), Some(blob)) => match session.unwrap_dek(kek, blob) {
            Ok(dek) => {
                dek_ways::ensure_consistent(node, record, false, Some(&dek))?;
                return Ok(Some(dek));
            }
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => Some(fault),
            Err(fault) => return Err(fault.into()),
        },
        _ => None,
    };
    if let Some(dek) = cached_dek(node, known)? {
        return Ok(Some(dek));
    }
    if let Some(fault) = damaged {
        return Err(fault.into());
    }
    let made = node
        .store
        .backups
        .snapshot(Purpose::KeepsKey, node.host.clock.now())?;
    let kept = made.snapshot.path;
    recorder.note("snapshot_database", made.is_new, &kept);
    recorder.report.warnings.push(format!(
        "the KEK of an earlier setup is not on the token: a new DEK is made; what was sealed \
         under the old one stays in {kept}"
    ));
    Ok(None)
}

/// The DEK of the cache, where it is the one of this database.
fn cached_dek(node: &Node, known: &TokenRecord) -> Result<Option<Dek>, Error> {
    let cached = node.secrets.cache.read()?;
    let is_ours = dek_ways::copy_of(node, Some(known), &cached) == CacheCopy::Ours;
    Ok(match cached {
        CachedDek::Present(dek) if is_ours => Some(dek),
        CachedDek::Present(_) | CachedDek::Absent | CachedDek::Unusable(_) => None,
    })
}

/// 32 bytes of the token's generator.
fn new_dek(node: &Node, session: &dyn TokenSession) -> Result<Dek, Error> {
    let random = session.random(domain::DEK_EXPECTED_LENGTH)?;
    match Dek::from_bytes(random.expose()) {
        Some(dek) => Ok(dek),
        None => Ok(node.secrets.crypto.generate()?),
    }
}
