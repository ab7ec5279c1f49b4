//! What the database says of the node.

use ports::{DatabaseState, Fault, FaultKind, NodeRecord};

use crate::node::Node;

/// Reads it.
///
/// # Errors
/// The database, or that there is none.
pub fn read(node: &Node) -> Result<NodeRecord, Fault> {
    match node.database.observe()? {
        DatabaseState::Initialised(record) => Ok(*record),
        DatabaseState::NotInitialised => Err(Fault::new(
            FaultKind::Config,
            format!("there is no database {} yet", node.settings.database_path),
            "run `trustpointctl startup` first, or restore a backup",
        )),
    }
}
