//! Why a start is refused, in words.

use domain::{Observed, Refusal, SchemaState, Version};
use ports::{Fault, FaultKind};

use crate::node::Node;

/// The failure that a refusal is.
pub(super) fn fault(node: &Node, observed: &Observed, refusal: Refusal) -> Fault {
    match refusal {
        Refusal::PhysicalHsm => Fault::new(
            FaultKind::StorageUnsupported,
            refusal.to_string(),
            "restore a backup of a node with SOFTWARE or SOFTHSM storage; nothing was changed",
        ),
        Refusal::Downgrade => downgrade(node, observed),
        Refusal::NoStorage => Fault::new(
            FaultKind::Config,
            format!(
                "{refusal}: {} names no storage",
                node.settings.database_path
            ),
            "restore a backup or snapshot of the database; the storage is the one row of \
             key_storage_config",
        ),
    }
}

/// Names the snapshots that would fit this binary.
fn downgrade(node: &Node, observed: &Observed) -> Fault {
    let database = observed.database();
    let program = &node.settings.app_version;
    let version = database
        .and_then(|database| database.version.as_ref())
        .map_or("unknown".to_owned(), ToString::to_string);
    let why = match database.map(|database| database.schema) {
        Some(SchemaState::Newer) => " and has migrations that this program does not know",
        Some(SchemaState::Diverged) => " and its migrations differ from this program's",
        Some(SchemaState::Current | SchemaState::Behind) | None => "",
    };
    let message = format!(
        "the database {} is of version {version}{why}; this program is of version {program}",
        node.settings.database_path
    );
    let fitting = match node.store.backups.snapshots() {
        Ok(snapshots) => snapshots
            .into_iter()
            .filter(|snapshot| {
                snapshot
                    .version
                    .as_deref()
                    .and_then(|text| text.parse::<Version>().ok())
                    .is_some_and(|version| program.precedence(&version).is_ge())
            })
            .map(|snapshot| snapshot.path)
            .collect::<Vec<_>>(),
        Err(fault) => vec![format!("(the snapshots cannot be listed: {fault})")],
    };
    let hint = if fitting.is_empty() {
        "run the newer program again; no snapshot fits this one".to_owned()
    } else {
        format!(
            "run the newer program again, or go back with `trustpointctl backup restore SNAPSHOT`; \
             these fit this one: {}",
            fitting.join(", ")
        )
    };
    Fault::new(FaultKind::VersionDowngrade, message, hint)
}
