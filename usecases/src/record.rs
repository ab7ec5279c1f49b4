//! What the database says of the node.

use ports::NodeRecord;

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;

/// Reads it.
///
/// # Errors
/// The database, or that there is none.
pub fn read(node: &Node) -> Result<NodeRecord, Error> {
    node.store.record.read()?.ok_or_else(|| {
        Refused::NoDatabase {
            database: node.settings.database_path.clone(),
        }
        .into()
    })
}
