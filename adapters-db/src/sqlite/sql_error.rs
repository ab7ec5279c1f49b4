//! What an error of SQLite means to a start: every result code is classed here and nowhere else.

use std::io::ErrorKind;
use std::os::fd::IntoRawFd as _;

use camino::Utf8Path;
use ports::{DatabaseTrouble as Trouble, FaultKind, StoreError};
use rusqlite::{Error, ErrorCode, ffi};
use rustix::fs::{Access, OFlags, access};
use rustix::io::Errno;

use crate::shown::{cut, reason};
use crate::sqlite::directory::parent;
use crate::sqlite::file_bytes::open_file;

/// An operation on the database at `path` failed; `doing` is like "reading the token".
pub(crate) fn failed(path: &Utf8Path, doing: &'static str, error: Error) -> StoreError {
    StoreError::Failed {
        path: path.to_string(),
        doing,
        trouble: trouble(path, &error),
        source: reason(error),
    }
}

/// An error before the schema was found to be ours: all that SQLite has to say of it is then the
/// file's fault.
pub(crate) fn unreadable(path: &Utf8Path, error: Error) -> StoreError {
    let damaged = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            return StoreError::NotSqlite {
                path: path.to_string(),
                source: Some(reason(error)),
            };
        }
        Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) => true,
        _ => trouble(path, &error).kind() == FaultKind::DataCorrupt,
    };
    if damaged {
        StoreError::Damaged {
            path: path.to_string(),
            how: "SQLite cannot read it".to_owned(),
            source: Some(reason(error)),
        }
    } else {
        failed(path, "reading", error)
    }
}

/// A file that is SQLite and not whole.
pub(crate) fn damaged(path: &Utf8Path, how: &str) -> StoreError {
    StoreError::Damaged {
        path: path.to_string(),
        how: cut(how).into_owned(),
        source: None,
    }
}

/// What an error means.
pub(crate) fn trouble(path: &Utf8Path, error: &Error) -> Trouble {
    match error {
        Error::SqliteFailure(code, message) => of_code(path, code, message.as_deref()),
        Error::SqlInputError { error, msg, .. } => of_code(path, error, Some(msg)),
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => Trouble::Damaged,
        _ => Trouble::Defect,
    }
}

/// Whether SQLite refuses because a crashed writer's journal has to be rolled back first, which a
/// connection for reading alone must not do.
pub(crate) fn needs_rollback(error: &Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_READONLY_ROLLBACK)
}

fn of_code(path: &Utf8Path, error: &ffi::Error, message: Option<&str>) -> Trouble {
    match error.code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => Trouble::InUse,
        ErrorCode::CannotOpen => cannot_open(path),
        ErrorCode::ReadOnly if error.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
            Trouble::Moved
        }
        ErrorCode::ReadOnly => not_writable(path),
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Trouble::Damaged,
        // By the limit of `open::limit` alone.
        ErrorCode::OperationInterrupted => Trouble::Endless,
        ErrorCode::DiskFull => Trouble::Full,
        ErrorCode::SystemIoFailure => Trouble::Disk,
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            Trouble::Denied {
                place: "the database and its directory".to_owned(),
            }
        }
        // The schema is not the one that the migration history claims.
        ErrorCode::Unknown if names_what_is_missing(message) => Trouble::Damaged,
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
            Trouble::Damaged
        }
        _ => Trouble::Defect,
    }
}

fn names_what_is_missing(message: Option<&str>) -> bool {
    message.is_some_and(|text| text.contains("no such table") || text.contains("no such column"))
}

/// SQLite says no more than "unable to open": the file, or a journal beside it. What is wrong is
/// asked of the file system.
fn cannot_open(path: &Utf8Path) -> Trouble {
    let directory = parent(path);
    for (place, right) in [
        (path, Access::READ_OK),
        (directory, Access::EXEC_OK),
        (directory, Access::WRITE_OK),
    ] {
        if let Some(trouble) = missing_right(place, right) {
            return trouble;
        }
    }
    // Rights that only an attempt shows, such as those of a security module.
    match open_file(path, OFlags::empty()) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return denied(path),
        Err(_) => {}
        // Closing it would drop the locks of every connection to the file, so it stays open until
        // the process ends, which is on its way to say this error.
        Ok(file) => {
            let _ = file.into_raw_fd();
        }
    }
    Trouble::CannotOpen {
        path: path.to_string(),
    }
}

fn not_writable(path: &Utf8Path) -> Trouble {
    missing_right(path, Access::WRITE_OK)
        .or_else(|| missing_right(parent(path), Access::WRITE_OK))
        .unwrap_or_else(|| Trouble::ReadOnly {
            path: path.to_string(),
        })
}

/// Why the file system refuses a right to the place, where it does.
pub(crate) fn missing_right(place: &Utf8Path, right: Access) -> Option<Trouble> {
    match access(place.as_std_path(), right) {
        Err(Errno::ACCESS | Errno::PERM) => Some(denied(place)),
        Err(Errno::ROFS) => Some(Trouble::ReadOnlyFileSystem {
            place: place.to_string(),
        }),
        _ => None,
    }
}

fn denied(place: &Utf8Path) -> Trouble {
    Trouble::Denied {
        place: place.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(extended: i32) -> FaultKind {
        let error = Error::SqliteFailure(ffi::Error::new(extended), None);
        trouble(Utf8Path::new("/nonexistent/x.db"), &error).kind()
    }

    #[test]
    fn c04_every_result_code_of_sqlite_has_its_kind() {
        use FaultKind as K;
        for (code, kind) in [
            (ffi::SQLITE_BUSY, K::DatabaseUnavailable),
            (ffi::SQLITE_BUSY_RECOVERY, K::DatabaseUnavailable),
            (ffi::SQLITE_LOCKED, K::DatabaseUnavailable),
            (ffi::SQLITE_PROTOCOL, K::DatabaseUnavailable),
            (ffi::SQLITE_CANTOPEN, K::DatabaseUnavailable),
            (ffi::SQLITE_READONLY_DBMOVED, K::DatabaseUnavailable),
            (ffi::SQLITE_NOTADB, K::DataCorrupt),
            (ffi::SQLITE_CORRUPT, K::DataCorrupt),
            (ffi::SQLITE_CORRUPT_INDEX, K::DataCorrupt),
            (ffi::SQLITE_INTERRUPT, K::DataCorrupt),
            (ffi::SQLITE_FULL, K::Io),
            (ffi::SQLITE_IOERR_FSYNC, K::Io),
            (ffi::SQLITE_IOERR_SHORT_READ, K::Io),
            (ffi::SQLITE_READONLY, K::Io),
            (ffi::SQLITE_PERM, K::Denied),
            (ffi::SQLITE_AUTH, K::Denied),
            (ffi::SQLITE_NOMEM, K::Internal),
            (ffi::SQLITE_MISUSE, K::Internal),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }

    #[test]
    fn a_missing_table_is_damage_and_a_syntax_error_is_ours() {
        let with = |text: &str| {
            let error =
                Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(text.to_owned()));
            trouble(Utf8Path::new("x.db"), &error).kind()
        };
        assert_eq!(with("no such table: credential"), FaultKind::DataCorrupt);
        assert_eq!(with("near \"SELCT\": syntax error"), FaultKind::Internal);
    }
}
