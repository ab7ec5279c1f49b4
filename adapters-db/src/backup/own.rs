//! What must never be overwritten by a backup: the node's own files.

use camino::Utf8Path;
use ports::{Fault, FaultKind};

use crate::directory::parent;
use crate::draft::is_private;
use crate::identity::Identity;

/// What SQLite takes for a part of the database whose name comes before.
const PARTS: [&str; 3] = ["-journal", "-wal", "-shm"];
/// What stands beside the database under a name of its own.
const PIN_MEMORY: &str = "pin-rejected";

/// Refuses the database, what belongs to it, and what would be taken for a part of another.
pub(super) fn ensure_not_own(file: &Utf8Path, database: &Utf8Path) -> Result<(), Fault> {
    let name = file.file_name().ok_or_else(|| {
        no_place(
            file,
            "cannot be the path of a backup",
            "give the path of a file",
        )
    })?;
    if PARTS.iter().any(|part| name.ends_with(part)) || is_private(name) {
        return Err(no_place(
            file,
            "would be taken for what a killed process has left, and deleted",
            "give another name",
        ));
    }
    let is_own =
        same(file, database) || same(parent(file), parent(database)) && is_own_name(name, database);
    if is_own {
        return Err(no_place(
            file,
            "is one of the node's own files: it is never overwritten by a backup",
            "give another path",
        ));
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

fn no_place(file: &Utf8Path, why: &str, hint: &str) -> Fault {
    Fault::new(FaultKind::Usage, format!("{file:?} {why}"), hint)
}
