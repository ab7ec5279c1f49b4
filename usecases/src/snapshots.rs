//! The snapshots that could take the database's place.

use domain::Version;
use ports::{BackupError, FaultKind, Snapshot, StoreError};

use crate::error::Error;
use crate::node::Node;
use crate::refused::{DamagedDatabase, Refused};

/// Where those stand that this program can go on with, the newest first.
///
/// # Errors
/// The snapshots cannot be listed.
pub fn fitting(node: &Node) -> Result<Vec<String>, BackupError> {
    let program = &node.settings.app_version;
    let is_known = |snapshot: &Snapshot| {
        let version = snapshot.version.as_deref();
        let version = version.and_then(|text| text.parse::<Version>().ok());
        version.is_some_and(|version| program.precedence(&version).is_ge())
    };
    let snapshots = node.store.backups.snapshots()?.into_iter();
    Ok(snapshots
        .filter(is_known)
        .map(|snapshot| snapshot.path)
        .collect())
}

/// An error of the database, with the newest snapshot where that is what to do about it.
pub fn beside(node: &Node, error: StoreError) -> Error {
    let is_damage = error.kind() == FaultKind::DataCorrupt
        && !matches!(
            error,
            // The configuration is wrong there, or the machine.
            StoreError::Foreign { .. }
                | StoreError::ForeignTables { .. }
                | StoreError::CopyDiffers { .. }
        );
    if !is_damage {
        return error.into();
    }
    // Where they cannot be listed, what is wrong with the database is told all the same.
    match fitting(node).unwrap_or_default().into_iter().next() {
        Some(snapshot) => Refused::DamagedDatabase(Box::new(DamagedDatabase {
            damage: error,
            snapshot,
        }))
        .into(),
        None => error.into(),
    }
}
