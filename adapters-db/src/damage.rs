//! What is said of a file that is damaged, altered, or no database at all.

use camino::Utf8Path;
use ports::{Fault, FaultKind};
use rusqlite::{Error, ErrorCode};

use crate::shown::{cut, reason};
use crate::sql_error::{RESTORE, class, fault};

/// A file that is not SQLite.
pub(crate) fn not_sqlite(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the file {path} is no SQLite database"),
        "keep a copy of the file, check the configured path, then restore the newest snapshot or \
         a backup (`backup restore`)",
    )
}

/// One that is SQLite and not whole.
pub(crate) fn damaged(path: &Utf8Path, how: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the database {path} is damaged: {}", cut(how)),
        RESTORE,
    )
}

/// An error before the schema was found to be ours: all that SQLite has to say of it is then the
/// file's fault.
pub(crate) fn unreadable(path: &Utf8Path, error: Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_sqlite(path).because(reason(error)),
        Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) => {
            damaged(path, "SQLite cannot read it").because(reason(error))
        }
        _ if class(path, &error).0 == FaultKind::DataCorrupt => {
            damaged(path, "SQLite cannot read it").because(reason(error))
        }
        _ => fault(path, "reading", error),
    }
}
