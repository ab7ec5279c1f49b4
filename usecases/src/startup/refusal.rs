//! Why a start is refused, in words.

use domain::{Observed, Refusal, SchemaState};

use crate::node::Node;
use crate::refused::Refused;
use crate::snapshots;

/// What a plan refuses, with what is known of the node.
pub(super) fn refused(node: &Node, observed: &Observed, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::PhysicalHsm => Refused::PhysicalHsm {
            is_set_up: observed.is_wizard_completed(),
        },
        Refusal::Downgrade => downgrade(node, observed),
        Refusal::NoStorage => Refused::NoStorage {
            database: node.settings.database_path.clone(),
        },
    }
}

/// Names the snapshots that would fit this binary.
fn downgrade(node: &Node, observed: &Observed) -> Refused {
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
    let snapshots = snapshots::fitting(node)
        .unwrap_or_else(|fault| vec![format!("(the snapshots cannot be listed: {fault})")]);
    Refused::Downgrade {
        database: node.settings.database_path.clone(),
        version,
        why,
        program: program.to_string(),
        snapshots,
    }
}
