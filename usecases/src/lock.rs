//! One change at a time: the lock of the data volume (C11).

use std::time::Duration;

use ports::{Fault, StartLockGuard};

use crate::node::Node;
use crate::record;

/// Takes the lock of the data volume.
///
/// # Errors
/// [`ports::FaultKind::Busy`] where another start keeps it.
pub fn acquire(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Fault> {
    node.lock.acquire(wait, &mut || {
        node.output.info("waiting for another start to end")
    })
}

/// Takes the lock of a data volume that has a database: taking it makes a missing directory.
///
/// # Errors
/// As [`record::read`] and [`acquire`].
pub fn acquire_installed(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Fault> {
    record::read(node)?;
    acquire(node, wait)
}
