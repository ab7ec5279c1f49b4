//! One change at a time: the lock of the data volume (C11).

use std::time::Duration;

use ports::{Fault, FaultKind, PathFacts, StartLockGuard};

use crate::node::Node;
use crate::record;

/// Takes the lock of the data volume, which comes before every change.
///
/// # Errors
/// [`FaultKind::Busy`] where another start keeps it; [`FaultKind::Config`] for a directory in which
/// every user may replace files.
pub fn acquire(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Fault> {
    ensure_own_directories(node)?;
    let waiting = &mut || node.output.info("waiting for another start to end");
    Ok(node.lock.acquire(wait, waiting)?)
}

/// Another user could put a file of his own in the place of the DEK, of a key or of the database.
///
/// # Errors
/// [`FaultKind::Config`] for a directory in which every user may replace files.
pub fn ensure_own_directories(node: &Node) -> Result<(), Fault> {
    for directory in [
        parent(&node.dek_cache.path()),
        parent(&node.settings.database_path),
        node.tls.directory(),
        node.wizard.directory(),
    ] {
        let facts = node.file_system.look(&directory)?;
        if let Some(facts) = facts.filter(PathFacts::is_open_to_all) {
            return Err(Fault::new(
                FaultKind::Config,
                format!(
                    "every user may replace files in the directory {directory} (its mode is {:04o})",
                    facts.mode
                ),
                format!(
                    "chmod o-w {directory}, or configure a directory of this program's own; \
                     nothing was changed"
                ),
            ));
        }
    }
    Ok(())
}

/// The directory a path stands in.
fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((directory, _)) => directory.to_owned(),
        None => ".".to_owned(),
    }
}

/// Takes the lock of a data volume that has a database: taking it makes a missing directory.
///
/// # Errors
/// As [`record::read`] and [`acquire`].
pub fn acquire_installed(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Fault> {
    record::read(node)?;
    acquire(node, wait)
}
