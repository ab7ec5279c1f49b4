//! What several hints say.

/// A full file system.
pub(super) const FREE_SPACE: &str =
    "free space on that file system, then start again; nothing is lost";
/// What should never fail did.
pub(super) const DEFECT: &str = "this is a defect of the program; report it with this message";
/// What the database says cannot be right.
pub(super) const RESTORE: &str = "restore a backup or snapshot of the database";
