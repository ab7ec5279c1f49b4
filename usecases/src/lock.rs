//! One change at a time: the lock of the data volume (C11), and the one of a database that nodes
//! share.

use std::time::Duration;

use ports::{FileError, PathFacts, StartLockGuard};

use crate::error::Error;
use crate::node::Node;
use crate::record;

/// The locks that a change needs: the last that was taken is given back first.
pub struct Locks {
    _shared: Option<Box<dyn StartLockGuard>>,
    _local: Box<dyn StartLockGuard>,
}

/// Takes the lock of the data volume and the one of a database that nodes share, which come before
/// every change.
///
/// # Errors
/// As [`acquire_local`] and [`acquire_shared`].
pub fn acquire(node: &Node, wait: Duration) -> Result<Locks, Error> {
    let local = acquire_local(node, wait)?;
    Ok(Locks {
        _shared: acquire_shared(node, wait)?,
        _local: local,
    })
}

/// Takes the lock of the data volume: no other process of this node changes anything.
///
/// # Errors
/// [`ports::FaultKind::Busy`] where another start keeps it; [`ports::FaultKind::Config`] for a directory in which
/// every user may replace files.
pub fn acquire_local(node: &Node, wait: Duration) -> Result<Box<dyn StartLockGuard>, Error> {
    ensure_own_directories(node)?;
    let waiting = &mut || node.host.output.info("waiting for another start to end");
    Ok(node.host.lock.acquire(wait, waiting)?)
}

/// Takes the lock of a database that nodes share: no other node changes what is everybody's.
///
/// # Errors
/// [`ports::FaultKind::Busy`] where another node keeps it, and a database that cannot be asked.
pub fn acquire_shared(
    node: &Node,
    wait: Duration,
) -> Result<Option<Box<dyn StartLockGuard>>, Error> {
    let Some(lock) = &node.store.lock else {
        return Ok(None);
    };
    let waiting = &mut || {
        let what = "waiting for another node to end what it does to the database";
        node.host.output.info(what);
    };
    Ok(Some(lock.acquire(wait, waiting)?))
}

/// Another user could put a file of his own in the place of the DEK, of a key or of the database.
///
/// # Errors
/// [`FileError::OpenToAll`].
pub fn ensure_own_directories(node: &Node) -> Result<(), FileError> {
    for directory in [
        parent(&node.secrets.cache.path()),
        node.settings.lock_directory.clone(),
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

/// Takes the locks of a node that has a database: taking them makes a missing directory.
///
/// # Errors
/// As [`record::read`] and [`acquire`].
pub fn acquire_installed(node: &Node, wait: Duration) -> Result<Locks, Error> {
    record::read(node)?;
    acquire(node, wait)
}
