//! WIZARD_SETUP_HSM: KEK and DEK.

use domain::KekId;
use ports::{CachedDek, Dek, Fault, FaultKind, Token, TokenRecord};

use crate::node::Node;
use crate::steps::Steps;
use crate::token;

/// The KEK and DEK of an earlier try where they work, new ones otherwise.
///
/// # Errors
/// The token, the database, or secrets that a new DEK would orphan.
pub fn keys(
    steps: &mut Steps<'_>,
    token: &Token,
    known: Option<&TokenRecord>,
) -> Result<(KekId, Dek), Fault> {
    let node = steps.node;
    let kek = match known.and_then(|known| known.kek.as_ref()) {
        Some(kek) if node.hsm.has_kek(kek)? => Some(kek.clone()),
        Some(_) | None => None,
    };
    let blob = known.and_then(|known| known.encrypted_dek.as_ref());
    if let (Some(kek), Some(blob)) = (&kek, blob) {
        let dek = node.hsm.unwrap_dek(kek, blob)?;
        steps.note(
            "generate_kek",
            false,
            &format!("the KEK {kek} is used as it is"),
        );
        return Ok((kek.clone(), dek));
    }
    let dek = match known {
        Some(known) => surviving_dek(node, known, steps)?,
        None => None,
    };
    let kek = match kek {
        Some(kek) => kek,
        None => token::new_kek(steps, token, known)?,
    };
    let dek = match dek {
        Some(dek) => dek,
        None => new_dek(node)?,
    };
    Ok((kek, dek))
}

/// Refuses where an earlier DEK would be replaced that the backup password can still bring back;
/// asked before setup changes anything.
///
/// # Errors
/// [`FaultKind::Config`], and the token.
pub fn refuse_replacing(node: &Node, known: &TokenRecord, has_token: bool) -> Result<(), Fault> {
    if known.backup_encrypted_dek.is_none() || cached_dek(node, known)?.is_some() {
        return Ok(());
    }
    let has_kek = match &known.kek {
        Some(kek) if has_token => node.hsm.has_kek(kek)?,
        Some(_) | None => false,
    };
    if has_kek && known.encrypted_dek.is_some() {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Config,
        "the KEK that wraps this node's DEK is not on the token, and the backup password can \
         still bring the DEK back",
        "run `trustpointctl startup`, then `trustpointctl recover` with the backup password",
    ))
}

/// The DEK of the cache, where it is the one of this database.
fn cached_dek(node: &Node, known: &TokenRecord) -> Result<Option<Dek>, Fault> {
    Ok(match node.dek_cache.read()? {
        CachedDek::Present(dek)
            if known.dek_check_value.as_ref() == Some(&node.seals.check_value(&dek)) =>
        {
            Some(dek)
        }
        CachedDek::Present(_) | CachedDek::Absent | CachedDek::Unusable(_) => None,
    })
}

/// Where an earlier DEK was in use and its KEK is gone: the cached one, or none, once a snapshot
/// keeps what a new DEK replaces.
fn surviving_dek(
    node: &Node,
    known: &TokenRecord,
    steps: &mut Steps<'_>,
) -> Result<Option<Dek>, Fault> {
    if known.encrypted_dek.is_none() && known.backup_encrypted_dek.is_none() {
        return Ok(None);
    }
    if let Some(dek) = cached_dek(node, known)? {
        return Ok(Some(dek));
    }
    let made = node.database.snapshot(node.clock.now())?;
    let removed = made
        .as_ref()
        .map_or(String::new(), |made| made.removed.join(", "));
    let kept = made.map_or("an earlier snapshot".to_owned(), |made| made.snapshot.path);
    steps.note("snapshot_database", true, &kept);
    if !removed.is_empty() {
        steps.note("remove_snapshots", true, &removed);
    }
    steps.report.warnings.push(format!(
        "the KEK of an earlier setup is not on the token: a new DEK is made; what was sealed \
         under the old one stays in {kept}"
    ));
    Ok(None)
}

/// 32 bytes of the token's generator.
fn new_dek(node: &Node) -> Result<Dek, Fault> {
    let random = node.hsm.random(domain::DEK_EXPECTED_LENGTH)?;
    match Dek::from_bytes(random.expose()) {
        Some(dek) => Ok(dek),
        None => node.seals.generate(),
    }
}
