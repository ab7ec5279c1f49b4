//! One change at a time: the lock of the data volume (C11).

use std::time::Duration;

use ports::{FileError, PathFacts, StartLockGuard};

use crate::error::Error;
use crate::node::Node;
use crate::record;

/// Takes the lock of the data volume, which comes before every change.
///
/// # Errors
/// [`ports::FaultKind::Busy`] where another start keeps it; [`ports::FaultKind::Config`] for a directory in which
/// every user may replace files.
pub fn acquire(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Error> {
    ensure_own_directories(node)?;
    let waiting = &mut || node.host.output.info("waiting for another start to end");
    Ok(node.host.lock.acquire(wait, waiting)?)
}

/// Another user could put a file of his own in the place of the DEK, of a key or of the database.
///
/// # Errors
/// [`FileError::OpenToAll`].
pub fn ensure_own_directories(node: &Node) -> Result<(), FileError> {
    for directory in [
        parent(&node.secrets.cache.path()),
        parent(&node.settings.database_path),
        node.web.tls.directory(),
        node.host.wizard.directory(),
    ] {
        let facts = node.host.file_system.look(&directory)?;
        if let Some(facts) = facts.filter(PathFacts::is_open_to_all) {
            let mode = facts.mode;
            return Err(FileError::OpenToAll { directory, mode });
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
pub fn acquire_installed(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Error> {
    record::read(node)?;
    acquire(node, wait)
}
