//! What the database says of the node.

use ports::{Fault, FaultKind, NodeRecord};

use crate::node::Node;

/// Reads it.
///
/// # Errors
/// The database, or that there is none.
pub fn read(node: &Node) -> Result<NodeRecord, Fault> {
    node.store.node.read()?.ok_or_else(|| {
        Fault::new(
            FaultKind::Config,
            format!("there is no database {} yet", node.settings.database_path),
            "run `trustpointctl startup` first, or restore a backup",
        )
    })
}
