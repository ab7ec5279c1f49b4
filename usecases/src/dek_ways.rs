//! What is known of the DEK of a node: whether it contradicts itself, which ways to it are left,
//! and what to do next. The rules are `domain`'s; the facts are gathered here, for every command.

use std::time::Duration;

use domain::{
    CacheCopy, Contradiction, CopyFacts, DekFacts, DekWays, KekId, KekState, SetupWizardState,
    StorageType, WayBack, WizardState, WrappedBy,
};
use ports::{CachedDek, Dek, NodeRecord, Sealing, TokenCopy, TokenSession};

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

/// What cannot all be true of what the database says, of the copy of the token that is meant, where
/// one is known to be, and of the DEK that the KEK unwrapped, where it did.
#[must_use]
pub fn contradiction(
    node: &Node,
    record: &NodeRecord,
    completed: bool,
    copy: Option<&TokenCopy>,
    unwrapped: Option<&Dek>,
) -> Option<Contradiction> {
    let sealing = &record.sealing;
    let facts = |copy: &TokenCopy| CopyFacts {
        serial: copy.serial.clone(),
        kek: copy.kek.clone(),
        wrapped: match &copy.wrapped {
            None => WrappedBy::Nothing,
            Some(wrapped) => (node.secrets.blobs.kek_of(&wrapped.dek))
                .map_or(WrappedBy::Unreadable, WrappedBy::Kek),
        },
    };
    Contradiction::of(&DekFacts {
        storage: record.storage,
        completed,
        has_wrapped: sealing.is_wrapped(),
        has_password_blob: sealing.backup.is_some(),
        check_value: sealing.check_value.clone(),
        copy: copy.map(facts),
        unwrapped: unwrapped.map(|dek| node.secrets.crypto.check_value(dek)),
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
    copy: Option<&TokenCopy>,
    unwrapped: Option<&Dek>,
) -> Result<(), Refused> {
    let Some(found) = contradiction(node, record, completed, copy, unwrapped) else {
        return Ok(());
    };
    Err(Refused::Contradiction {
        database: node.settings.database_path.clone(),
        found,
        by_password: has_password(node, &record.sealing),
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
    copy: &TokenCopy,
) -> Result<Option<KekId>, Error> {
    let named = copy
        .wrapped
        .as_ref()
        .and_then(|wrapped| node.secrets.blobs.kek_of(&wrapped.dek));
    match named {
        Some(named) if copy.kek.as_ref() != Some(&named) && session.has_kek(&named)? => {
            Ok(Some(named))
        }
        Some(_) | None => Ok(copy.kek.clone()),
    }
}

/// Whether there is a DEK under the backup password that can be one.
#[must_use]
pub fn has_password(node: &Node, sealing: &Sealing) -> bool {
    let backup = sealing.backup.as_ref();
    backup.is_some_and(|backup| node.secrets.crypto.examine(&backup.dek).is_ok())
}

/// Why the DEK under the backup password cannot be one, where there is one that cannot.
#[must_use]
pub fn damaged_password_blob(node: &Node, record: &NodeRecord) -> Option<Refused> {
    let backup = record.sealing.backup.as_ref()?;
    let fault = node.secrets.crypto.examine(&backup.dek).err()?;
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
pub fn is_dek_of(node: &Node, sealing: &Sealing, dek: &Dek) -> bool {
    sealing.check_value.as_ref() == Some(&node.secrets.crypto.check_value(dek))
}

/// What the cache's content is to this database.
#[must_use]
pub fn cache_copy(node: &Node, sealing: &Sealing, cached: &CachedDek) -> CacheCopy {
    match cached {
        CachedDek::Absent => CacheCopy::Absent,
        CachedDek::Unusable(_) => CacheCopy::Untrusted,
        CachedDek::Present(dek) if is_dek_of(node, sealing, dek) => CacheCopy::Ours,
        CachedDek::Present(_) => CacheCopy::Unknown,
    }
}

/// The ways to the DEK; `kek` as far as it is known.
///
/// # Errors
/// The cache cannot be read.
pub fn ways(node: &Node, sealing: &Sealing, kek: KekState) -> Result<DekWays, Error> {
    Ok(DekWays {
        kek,
        has_backup_password: has_password(node, sealing),
        cache: cache_copy(node, sealing, &node.secrets.cache.read()?),
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
    // A token whose copy was forgotten opens nothing when it comes back.
    let is_wrapped = record.sealing.is_wrapped();
    match ways.way_back() {
        WayBack::RotateKek => {
            let or_token = if is_wrapped {
                ", or bring the old token back"
            } else {
                ""
            };
            let or_password = if ways.has_backup_password {
                "; should the cache be lost first, `recover` has the DEK from the backup password"
            } else {
                ""
            };
            format!(
                "run {wrap}, which wraps the DEK of the cache with a new KEK{or_token}, before \
                 anything is restarted{or_password}"
            )
        }
        WayBack::Recover if raw.is_some_and(SetupWizardState::is_auto_restore) => {
            let recover = "run `trustpointctl recover` with the backup password";
            if is_wrapped {
                format!("bring the old token back and start again, or, where it is lost, {recover}")
            } else {
                recover.to_owned()
            }
        }
        WayBack::Recover => {
            let recover = "run `trustpointctl startup` and then `trustpointctl recover` with the \
                           backup password";
            or_old_token(is_wrapped, recover)
        }
        WayBack::RepairCache => {
            let repair = format!(
                "if {path} is the DEK, give it to this program's user with mode 0600 and run \
                 {wrap}, before anything is restarted; if it is none, move it away"
            );
            or_old_token(is_wrapped, &repair)
        }
        WayBack::OldToken => {
            or_old_token(is_wrapped, "restore a backup that has a backup password")
        }
    }
}

fn or_old_token(is_wrapped: bool, other: &str) -> String {
    if is_wrapped {
        format!("bring the old token back, or {other}")
    } else {
        other.to_owned()
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
pub fn way_back_without_kek(node: &Node, record: &NodeRecord) -> String {
    // A cache that cannot be read may hold the last copy: that advice loses nothing.
    let ways = ways(node, &record.sealing, KekState::Absent).unwrap_or(DekWays {
        kek: KekState::Absent,
        has_backup_password: has_password(node, &record.sealing),
        cache: CacheCopy::Untrusted,
    });
    way_back(node, record, ways)
}

/// Whether the KEK on the token unwraps the DEK in use; absent is also one that does not. Logs in.
///
/// # Errors
/// The token cannot be asked.
pub fn kek_after_login(node: &Node, record: &NodeRecord) -> Result<KekState, Error> {
    let sealing = &record.sealing;
    if !sealing.is_wrapped() {
        return Ok(KekState::Absent);
    }
    storage::ensure_served(node, record)?;
    let pin = || Ok(node.secrets.pins.user_pin()?);
    let Some(session) = session::open(node, Duration::ZERO, record, pin)? else {
        return Ok(KekState::Absent);
    };
    let Some(copy) = session::copy_for(node, &*session, sealing)? else {
        return Ok(KekState::Absent);
    };
    opens(node, &*session, sealing, copy)
}

/// Whether the KEK of this copy unwraps the DEK in use; absent is also one that does not.
///
/// # Errors
/// The token cannot be asked.
pub fn opens(
    node: &Node,
    session: &dyn TokenSession,
    sealing: &Sealing,
    copy: &TokenCopy,
) -> Result<KekState, Error> {
    Ok(match session::unwrap(session, copy)? {
        Unwrapped::Dek(dek) if is_dek_of(node, sealing, &dek) => KekState::Unwraps,
        Unwrapped::Dek(_)
        | Unwrapped::NoKek
        | Unwrapped::NothingWrapped
        | Unwrapped::Damaged(_) => KekState::Absent,
    })
}
