//! WIZARD_SETUP_HSM: KEK and DEK.

use domain::{CacheCopy, CacheEvent, CacheFate, KekId, KekState};
use ports::{CachedDek, Dek, FaultKind, NodeRecord, Purpose, Sealing, TokenCopy, TokenSession};

use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::{dek_ways, session, wrap};

/// The keys of a node that is set up.
pub struct SetUpKeys {
    /// The KEK.
    pub kek: KekId,
    /// The DEK.
    pub dek: Dek,
    /// Whether the DEK was made just now.
    pub is_new: bool,
}

/// The KEK and DEK of an earlier try where they work, new ones otherwise.
///
/// # Errors
/// The token, the database, or secrets that a new DEK would orphan.
pub fn keys(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    record: Option<&NodeRecord>,
) -> Result<SetUpKeys, Error> {
    let node = recorder.node;
    let nothing = Sealing::default();
    let sealing = record.map_or(&nothing, |record| &record.sealing);
    let copy = session::copy_for(node, session, sealing)?;
    let kek = match copy.and_then(|copy| copy.kek.as_ref()) {
        Some(kek) if session.has_kek(kek)? => Some(kek.clone()),
        Some(_) | None => None,
    };
    let dek = match record {
        Some(record) => earlier_dek(recorder, session, record, copy, kek.as_ref())?,
        None => None,
    };
    let kek = match kek {
        Some(kek) => {
            let used = format!("the KEK {kek} is used as it is");
            recorder.note("generate_kek", false, &used);
            kek
        }
        None => wrap::new_kek(recorder, session, sealing)?,
    };
    let is_new = dek.is_none();
    let dek = match dek {
        Some(dek) => dek,
        None => new_dek(node, session)?,
    };
    Ok(SetUpKeys { kek, dek, is_new })
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
    let sealing = &record.sealing;
    if !sealing.is_sealed() {
        return Ok(());
    }
    let ways = dek_ways::ways(node, sealing, KekState::Absent)?;
    // One that the KEK has or the cache proves is used again, and nothing is replaced.
    if is_wrapped_here(node, sealing, session)? || ways.cache == CacheCopy::Ours {
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

/// Whether the token has the KEK of a wrapped DEK.
fn is_wrapped_here(
    node: &Node,
    sealing: &Sealing,
    session: Option<&dyn TokenSession>,
) -> Result<bool, Error> {
    let Some(session) = session else {
        return Ok(false);
    };
    let copy = session::copy_for(node, session, sealing)?.filter(|copy| copy.wrapped.is_some());
    match copy.and_then(|copy| copy.kek.as_ref()) {
        Some(kek) => Ok(session.has_kek(kek)?),
        None => Ok(false),
    }
}

/// The DEK of an earlier setup: unwrapped, or of the cache; none, once a snapshot keeps what a new
/// DEK replaces.
fn earlier_dek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    record: &NodeRecord,
    copy: Option<&TokenCopy>,
    kek: Option<&KekId>,
) -> Result<Option<Dek>, Error> {
    let node = recorder.node;
    if !record.sealing.has_dek() {
        return Ok(None);
    }
    let damaged = match (kek, copy.and_then(|copy| copy.wrapped.as_ref())) {
        (Some(kek), Some(wrapped)) => match session.unwrap_dek(kek, &wrapped.dek) {
            Ok(dek) => {
                dek_ways::ensure_consistent(node, record, false, copy, Some(&dek))?;
                return Ok(Some(dek));
            }
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => Some(fault),
            Err(fault) => return Err(fault.into()),
        },
        _ => None,
    };
    if let Some(dek) = cached_dek(node, &record.sealing)? {
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
fn cached_dek(node: &Node, sealing: &Sealing) -> Result<Option<Dek>, Error> {
    let cached = node.secrets.cache.read()?;
    let is_ours = dek_ways::cache_copy(node, sealing, &cached) == CacheCopy::Ours;
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
