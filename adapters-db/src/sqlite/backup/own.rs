//! What must never be overwritten by a backup: the node's own files.

use camino::Utf8Path;
use ports::BackupError;

use crate::sqlite::directory::parent;
use crate::sqlite::draft::is_private;
use crate::sqlite::identity::Identity;

/// What SQLite takes for a part of the database whose name comes before.
const PARTS: [&str; 3] = ["-journal", "-wal", "-shm"];
/// What stands beside the database under a name of its own.
const PIN_MEMORY: &str = "pin-rejected";

/// It is not the database, nothing that belongs to it, and nothing that would be taken for a part
/// of another.
pub(super) fn ensure_not_own(file: &Utf8Path, database: &Utf8Path) -> Result<(), BackupError> {
    let path = file.to_string();
    let Some(name) = file.file_name() else {
        return Err(BackupError::NoFileName { file: path });
    };
    if PARTS.iter().any(|part| name.ends_with(part)) || is_private(name) {
        return Err(BackupError::TakenForLeftover { file: path });
    }
    let is_own =
        same(file, database) || same(parent(file), parent(database)) && is_own_name(name, database);
    if is_own {
        return Err(BackupError::OwnFile { file: path });
    }
    Ok(())
}

/// The database, its lock, the one that is being made, and what is hidden.
fn is_own_name(name: &str, database: &Utf8Path) -> bool {
    let of_database = name.strip_prefix(database.file_name().unwrap_or_default());
    matches!(of_database, Some("" | ".lock" | ".new"))
        || name.starts_with(PIN_MEMORY)
        || name.starts_with('.')
}

/// Whether both are one file, through every link.
fn same(one: &Utf8Path, other: &Utf8Path) -> bool {
    Identity::at(one).is_some_and(|one| Some(one) == Identity::at(other))
}
