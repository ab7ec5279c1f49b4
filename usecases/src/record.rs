//! What the database says of the node.

use ports::{FileError, NodeRecord};

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::snapshots;

/// Reads it, where there is a database.
///
/// # Errors
/// The database, with the newest snapshot where it is damaged.
pub fn find(node: &Node) -> Result<Option<NodeRecord>, Error> {
    let read = node.store.record.read();
    read.map_err(|error| snapshots::beside(node, error))
}

/// Reads it.
///
/// # Errors
/// The database, or that there is none.
pub fn read(node: &Node) -> Result<NodeRecord, Error> {
    find(node)?.ok_or_else(|| {
        Refused::NoDatabase {
            database: node.settings.database_path.clone(),
        }
        .into()
    })
}

/// Whether a database that counts as missing has a file all the same, with nothing in it: a full
/// volume leaves one, or a copy that was cut short.
///
/// # Errors
/// The path cannot be looked at.
pub fn is_empty_file(node: &Node) -> Result<bool, FileError> {
    if node.store.is_shared() {
        return Ok(false);
    }
    let path = &node.settings.database_path;
    Ok(node.host.file_system.look(path)?.is_some())
}
