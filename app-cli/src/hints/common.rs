//! What several hints say.

/// A full file system.
pub(super) const FREE_SPACE: &str =
    "free space on that file system, then try again; nothing is lost";
/// Whether it is the address of a database on a server, and no path of a file.
pub(super) fn is_on_server(database: &str) -> bool {
    database.starts_with("postgresql://")
}

/// What should never fail did.
pub(super) const DEFECT: &str = "this is a defect of the program; report it with this message";
/// What the database says cannot be right.
pub(super) const RESTORE: &str = "restore a backup or snapshot of the database";
