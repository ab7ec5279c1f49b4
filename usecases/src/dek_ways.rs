//! What is known of the DEK of a node: whether it contradicts itself, which ways to it are left,
//! and what to do next. The rules are `domain`'s; the facts are gathered here, for every command.

use std::time::Duration;

use domain::{
    CacheCopy, Contradiction, DekFacts, DekWays, KekId, KekState, SetupWizardState, StorageType,
    TokenFacts, WayBack, WizardState, WrappedBy,
};
use ports::{CachedDek, Dek, NodeRecord, TokenRecord, TokenSession};

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::session::{self, Unwrapped};
use crate::storage;

/// Whether setup was completed, by the database and by the state directory.
#[must_use]
pub fn is_completed(record: &NodeRecord, raw: Option<SetupWizardState>) -> bool {
    let marked = record.setup_completed_at.is_some();
    SetupWizardState::effective(raw, marked) == WizardState::Completed
}

/// What cannot all be true of what the database says, and of the DEK that the KEK unwrapped, where
/// it did.
#[must_use]
pub fn contradiction(
    node: &Node,
    record: &NodeRecord,
    completed: bool,
    unwrapped: Option<&Dek>,
) -> Option<Contradiction> {
    let facts = |known: &TokenRecord| TokenFacts {
        kek: known.kek.clone(),
        wrapped: match &known.encrypted_dek {
            None => WrappedBy::Nothing,
            Some(blob) => {
                (node.secrets.blobs.kek_of(blob)).map_or(WrappedBy::Unreadable, WrappedBy::Kek)
            }
        },
        has_password_blob: known.backup_encrypted_dek.is_some(),
        check_value: known.dek_check_value.clone(),
        unwrapped: unwrapped.map(|dek| node.secrets.crypto.check_value(dek)),
    };
    Contradiction::of(&DekFacts {
        storage: record.storage,
        completed,
        token: record.token.as_ref().map(facts),
    })
}

/// Refuses what contradicts itself, before anything is decided by it.
///
/// # Errors
/// [`ports::FaultKind::DataCorrupt`] with both sides named.
pub fn ensure_consistent(
    node: &Node,
    record: &NodeRecord,
    completed: bool,
    unwrapped: Option<&Dek>,
) -> Result<(), Refused> {
    let Some(found) = contradiction(node, record, completed, unwrapped) else {
        return Ok(());
    };
    let known = record.token.as_ref();
    Err(Refused::Contradiction {
        database: node.settings.database_path.clone(),
        found,
        by_password: known.is_some_and(|known| has_password(node, known)),
    })
}

/// The KEK under which the wrapped DEK is to be tried: the one that it names, where the database
/// names another or none and the token has it.
///
/// # Errors
/// The token.
pub fn kek_by_blob(
    node: &Node,
    session: &dyn TokenSession,
    known: &TokenRecord,
) -> Result<Option<KekId>, Error> {
    let named = known
        .encrypted_dek
        .as_ref()
        .and_then(|blob| node.secrets.blobs.kek_of(blob));
    match named {
        Some(named) if known.kek.as_ref() != Some(&named) && session.has_kek(&named)? => {
            Ok(Some(named))
        }
        Some(_) | None => Ok(known.kek.clone()),
    }
}

/// Whether there is a DEK under the backup password that can be one.
#[must_use]
pub fn has_password(node: &Node, known: &TokenRecord) -> bool {
    let blob = known.backup_encrypted_dek.as_ref();
    blob.is_some_and(|blob| node.secrets.crypto.examine(blob).is_ok())
}

/// Why the DEK under the backup password cannot be one, where there is one that cannot.
#[must_use]
pub fn damaged_password_blob(node: &Node, record: &NodeRecord) -> Option<Refused> {
    let blob = record.token.as_ref()?.backup_encrypted_dek.as_ref()?;
    let fault = node.secrets.crypto.examine(blob).err()?;
    Some(Refused::DamagedPasswordBlob {
        source: fault.into(),
    })
}

/// The same as a warning.
#[must_use]
pub fn password_blob_warning(node: &Node, record: &NodeRecord) -> Option<String> {
    let refused = damaged_password_blob(node, record)?;
    Some(format!(
        "{refused}; while the DEK is accessible, `trustpointctl keys set-backup-password` makes it \
         anew"
    ))
}

/// Whether this is the DEK that seals the database. Where the database does not say which one does,
/// none is proven to be (and the node contradicts itself, see [`ensure_consistent`]).
#[must_use]
pub fn is_dek_of(node: &Node, known: &TokenRecord, dek: &Dek) -> bool {
    known.dek_check_value.as_ref() == Some(&node.secrets.crypto.check_value(dek))
}

/// What the cache's content is to this database.
#[must_use]
pub fn copy_of(node: &Node, known: Option<&TokenRecord>, cached: &CachedDek) -> CacheCopy {
    match cached {
        CachedDek::Absent => CacheCopy::Absent,
        CachedDek::Unusable(_) => CacheCopy::Untrusted,
        CachedDek::Present(dek) if known.is_some_and(|known| is_dek_of(node, known, dek)) => {
            CacheCopy::Ours
        }
        CachedDek::Present(_) => CacheCopy::Unknown,
    }
}

/// The ways to the DEK; `kek` as far as it is known.
///
/// # Errors
/// The cache cannot be read.
pub fn ways(node: &Node, known: &TokenRecord, kek: KekState) -> Result<DekWays, Error> {
    Ok(DekWays {
        kek,
        has_backup_password: has_password(node, known),
        cache: copy_of(node, Some(known), &node.secrets.cache.read()?),
    })
}

/// What to do next where the KEK does not give the DEK.
#[must_use]
pub fn way_back(node: &Node, record: &NodeRecord, ways: DekWays) -> String {
    let path = node.secrets.cache.path();
    let raw = node
        .host
        .wizard
        .read()
        .map_or(None, |directory| directory.state());
    let wrap = if is_completed(record, raw) {
        "`trustpointctl keys rotate-kek`".to_owned()
    } else {
        set_up_again(record)
    };
    match ways.way_back() {
        WayBack::RotateKek => {
            let or_password = if ways.has_backup_password {
                "; should the cache be lost first, `recover` has the DEK from the backup password"
            } else {
                ""
            };
            format!(
                "run {wrap}, which wraps the DEK of the cache with a new KEK, or bring the old \
                 token back, before anything is restarted{or_password}"
            )
        }
        WayBack::Recover if raw.is_some_and(SetupWizardState::is_auto_restore) => {
            "bring the old token back and start again, or, where it is lost, run `trustpointctl \
             recover` with the backup password"
                .to_owned()
        }
        WayBack::Recover => "bring the old token back, or run `trustpointctl startup` and then \
                             `trustpointctl recover` with the backup password"
            .to_owned(),
        WayBack::RepairCache => format!(
            "bring the old token back; or, if {path} is the DEK, give it to this program's user \
             with mode 0600 and run {wrap}, before anything is restarted; if it is none, move it \
             away"
        ),
        WayBack::OldToken => "bring the old token back, or restore a backup that has a backup \
                              password"
            .to_owned(),
    }
}

/// The command that goes on with a setup that has come to the token.
#[must_use]
pub fn set_up_again(record: &NodeRecord) -> String {
    let hsm = record.storage.filter(|storage| storage.is_hsm());
    let storage = hsm.unwrap_or(StorageType::SoftHsm);
    format!("`trustpointctl setup --storage {storage}`")
}

/// The same for whoever did not look at the cache.
#[must_use]
pub fn way_back_without_kek(node: &Node, record: &NodeRecord, known: &TokenRecord) -> String {
    // A cache that cannot be read may hold the last copy: that advice loses nothing.
    let ways = ways(node, known, KekState::Absent).unwrap_or(DekWays {
        kek: KekState::Absent,
        has_backup_password: has_password(node, known),
        cache: CacheCopy::Untrusted,
    });
    way_back(node, record, ways)
}

/// Whether the database has sealed anything under a DEK.
#[must_use]
pub fn is_sealed(known: &TokenRecord) -> bool {
    known.encrypted_dek.is_some()
        || known.backup_encrypted_dek.is_some()
        || known.dek_check_value.is_some()
}

/// Whether the KEK on the token unwraps the DEK in use; absent is also one that does not. Logs in.
///
/// # Errors
/// The token cannot be asked.
pub fn kek_after_login(
    node: &Node,
    record: &NodeRecord,
    known: &TokenRecord,
) -> Result<KekState, Error> {
    if known.kek.is_none() || known.encrypted_dek.is_none() {
        return Ok(KekState::Absent);
    }
    storage::ensure_served(node, record.storage)?;
    let pin = || Ok(node.secrets.pins.user_pin()?);
    let Some(session) = session::open(node, Duration::ZERO, record, pin)? else {
        return Ok(KekState::Absent);
    };
    Ok(match session::unwrap(&*session, known)? {
        Unwrapped::Dek(dek) if is_dek_of(node, known, &dek) => KekState::Unwraps,
        Unwrapped::Dek(_)
        | Unwrapped::NoKek
        | Unwrapped::NothingWrapped
        | Unwrapped::Damaged(_) => KekState::Absent,
    })
}
