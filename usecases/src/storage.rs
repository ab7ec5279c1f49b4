//! Which storages this node serves: a physical HSM only where its operator has opted in to one.

use domain::StorageType;

use crate::node::Node;
use crate::refused::Refused;

/// Whether this is a storage that the node is not opted in to: no device is asked for anything.
#[must_use]
pub fn is_refused(node: &Node, storage: Option<StorageType>) -> bool {
    storage == Some(StorageType::PhysicalHsm) && !node.settings.physical_hsm
}

/// Refuses a storage that the node is not opted in to.
///
/// # Errors
/// [`Refused::PhysicalHsm`].
pub fn ensure_served(node: &Node, storage: Option<StorageType>) -> Result<(), Refused> {
    if is_refused(node, storage) {
        return Err(Refused::PhysicalHsm);
    }
    Ok(())
}

/// Whether a token wraps the DEK of this storage, and the node may ask it.
#[must_use]
pub fn has_token(node: &Node, storage: Option<StorageType>) -> bool {
    storage.is_some_and(StorageType::is_hsm) && !is_refused(node, storage)
}
