//! What becomes of the cached DEK where another database takes the place of the present one.

use domain::{CacheCopy, CacheEvent, CacheFate, DekWays, KekState, StorageType};
use ports::{BackupSource, CachedDek, NodeRecord};

use crate::dek_ways::{self, cache_copy};
use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;

/// Refuses where the cache may hold the last copy of the present database's DEK, and says what
/// becomes of it where nothing can be lost. The token is asked only where all hangs on it.
///
/// # Errors
/// [`ports::FaultKind::Config`] with what to do first.
pub fn ensure_nothing_lost(
    node: &Node,
    present: Option<&NodeRecord>,
    next: &NodeRecord,
) -> Result<CacheFate, Error> {
    let cached = node.secrets.cache.read()?;
    if cache_copy(node, &next.sealing, &cached) == CacheCopy::Ours {
        return Ok(CacheFate::Keep);
    }
    let is_judged =
        |record: &NodeRecord| cache_copy(node, &record.sealing, &cached) != CacheCopy::Unknown;
    match present {
        Some(record) if record.sealing.is_sealed() && is_judged(record) => {
            let (ways, why) = ways(node, record)?;
            match ways.fate(CacheEvent::OtherDatabase) {
                CacheFate::Refuse => Err(last_copy(node, record, ways, why).into()),
                fate => Ok(fate),
            }
        }
        // Nothing is sealed here, and a file in the cache is nobody's.
        Some(record)
            if !record.sealing.is_sealed() && !record.storage.is_some_and(StorageType::is_hsm) =>
        {
            Ok(CacheFate::Drop)
        }
        _ => replaced_before(node, &cached),
    }
}

/// The ways to the DEK. Without a password it is the token's word that counts; why it could not be
/// asked, where it could not.
fn ways(node: &Node, record: &NodeRecord) -> Result<(DekWays, Option<Error>), Error> {
    let ways = dek_ways::ways(node, &record.sealing, KekState::Unknown)?;
    if ways.fate(CacheEvent::OtherDatabase) != CacheFate::Refuse {
        return Ok((ways, None));
    }
    let (kek, why) = match dek_ways::kek_after_login(node, record) {
        Ok(kek) => (kek, None),
        Err(fault) => (KekState::Unknown, Some(fault)),
    };
    Ok((DekWays { kek, ..ways }, why))
}

/// The present database does not know the DEK: it may be of one that an earlier restore, which was
/// cut short, has replaced. Its snapshot says which ways it has; without one it stays.
fn replaced_before(node: &Node, cached: &CachedDek) -> Result<CacheFate, Error> {
    if matches!(cached, CachedDek::Absent) {
        return Ok(CacheFate::Drop);
    }
    for snapshot in node.store.backups.snapshots()? {
        // One that cannot be read tells of no way, and the file stays.
        let Ok(backup) = node
            .store
            .backups
            .verify(BackupSource::File(&snapshot.path))
        else {
            continue;
        };
        if cache_copy(node, &backup.record.sealing, cached) == CacheCopy::Ours {
            let (ways, _) = ways(node, &backup.record)?;
            return Ok(match ways.fate(CacheEvent::OtherDatabase) {
                CacheFate::Drop => CacheFate::Drop,
                // There is nothing to be done first: its database is not in place.
                CacheFate::Keep | CacheFate::Refuse => CacheFate::Keep,
            });
        }
    }
    Ok(CacheFate::Keep)
}

fn last_copy(node: &Node, record: &NodeRecord, ways: DekWays, why: Option<Error>) -> Refused {
    let kek = match &why {
        None => "the KEK does not unwrap it".to_owned(),
        Some(fault) => format!("whether the KEK unwraps it could not be asked: {fault}"),
    };
    Refused::LastCopy {
        cache: node.secrets.cache.path(),
        database: node.settings.database_path.clone(),
        kek,
        way_back: dek_ways::way_back(node, record, ways),
        source: why.map(Into::into),
    }
}
