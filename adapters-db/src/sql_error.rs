//! What an error of SQLite means to a start: every result code is classed here and nowhere else.

use std::io::ErrorKind;
use std::os::fd::IntoRawFd as _;

use camino::Utf8Path;
use ports::{Fault, FaultKind};
use rusqlite::{Error, ErrorCode, ffi};
use rustix::fs::{Access, OFlags, access};
use rustix::io::Errno;

use crate::directory::parent;
use crate::file_bytes::open_file;
use crate::shown::reason;

const IN_THE_WAY: &str = "another process holds the database; end it, or wait and start again";
pub(crate) const RESTORE: &str = "keep a copy of the file, then restore the newest snapshot or a backup \
                       (`backup restore`)";
pub(crate) const FREE_SPACE: &str =
    "free space on that file system, then start again; nothing is lost";

/// The fault of a failed operation on the database at `path`; `doing` is like "reading the token".
pub(crate) fn fault(path: &Utf8Path, doing: &str, error: Error) -> Fault {
    let (kind, hint) = class(path, &error);
    Fault::new(kind, format!("{doing} failed in the database {path}"), hint).because(reason(error))
}

/// Kind and hint of an error.
pub(crate) fn class(path: &Utf8Path, error: &Error) -> (FaultKind, String) {
    match error {
        Error::SqliteFailure(code, message) => of_code(path, code, message.as_deref()),
        Error::SqlInputError { error, msg, .. } => of_code(path, error, Some(msg)),
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => (FaultKind::DataCorrupt, RESTORE.to_owned()),
        _ => (FaultKind::Internal, defect()),
    }
}

/// Whether SQLite refuses because a crashed writer's journal has to be rolled back first, which a
/// connection for reading alone must not do.
pub(crate) fn needs_rollback(error: &Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_READONLY_ROLLBACK)
}

fn of_code(path: &Utf8Path, error: &ffi::Error, message: Option<&str>) -> (FaultKind, String) {
    let (kind, hint): (FaultKind, &str) = match error.code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => (FaultKind::DatabaseUnavailable, IN_THE_WAY),
        ErrorCode::CannotOpen => return cannot_open(path),
        ErrorCode::ReadOnly if error.extended_code == ffi::SQLITE_READONLY_DBMOVED => (
            FaultKind::DatabaseUnavailable,
            "the file was moved or replaced while it was open; start again",
        ),
        ErrorCode::ReadOnly => return not_writable(path),
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => (FaultKind::DataCorrupt, RESTORE),
        // By the limit of `open::limit` alone.
        ErrorCode::OperationInterrupted => (
            FaultKind::DataCorrupt,
            "reading it came to no end, so it was altered or is damaged: keep a copy of the file, \
             then restore the newest snapshot or a backup (`backup restore`)",
        ),
        ErrorCode::DiskFull => (FaultKind::Io, FREE_SPACE),
        ErrorCode::SystemIoFailure => (
            FaultKind::Io,
            "check the disk and the file system the database stands on",
        ),
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => (
            FaultKind::Denied,
            "give the user that runs this program the right to the database and its directory",
        ),
        // The schema is not the one that the migration history claims.
        ErrorCode::Unknown if names_what_is_missing(message) => (FaultKind::DataCorrupt, RESTORE),
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
            (FaultKind::DataCorrupt, RESTORE)
        }
        _ => return (FaultKind::Internal, defect()),
    };
    (kind, hint.to_owned())
}

fn names_what_is_missing(message: Option<&str>) -> bool {
    message.is_some_and(|text| text.contains("no such table") || text.contains("no such column"))
}

/// SQLite says no more than "unable to open": the file, or a journal beside it. What is wrong is
/// asked of the file system.
fn cannot_open(path: &Utf8Path) -> (FaultKind, String) {
    let directory = parent(path);
    for (place, right) in [
        (path, Access::READ_OK),
        (directory, Access::EXEC_OK),
        (directory, Access::WRITE_OK),
    ] {
        if let Some(found) = refused(place, right) {
            return found;
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
    (
        FaultKind::DatabaseUnavailable,
        format!("check that {path} is a file and its volume is mounted"),
    )
}

fn not_writable(path: &Utf8Path) -> (FaultKind, String) {
    refused(path, Access::WRITE_OK)
        .or_else(|| refused(parent(path), Access::WRITE_OK))
        .unwrap_or_else(|| {
            (
                FaultKind::Io,
                format!("make {path} and its directory writable"),
            )
        })
}

/// Why the file system refuses a right to the place, where it does.
pub(crate) fn refused(place: &Utf8Path, right: Access) -> Option<(FaultKind, String)> {
    match access(place.as_std_path(), right) {
        Err(Errno::ACCESS | Errno::PERM) => Some(denied(place)),
        Err(Errno::ROFS) => Some((
            FaultKind::Io,
            format!("mount the file system of {place} writable"),
        )),
        _ => None,
    }
}

fn denied(place: &Utf8Path) -> (FaultKind, String) {
    (
        FaultKind::Denied,
        format!("give the user that runs this program the right to {place}"),
    )
}

fn defect() -> String {
    "this is a defect of the program; report it with this message".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(extended: i32) -> FaultKind {
        let error = Error::SqliteFailure(ffi::Error::new(extended), None);
        class(Utf8Path::new("/nonexistent/x.db"), &error).0
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
            class(Utf8Path::new("x.db"), &error).0
        };
        assert_eq!(with("no such table: credential"), FaultKind::DataCorrupt);
        assert_eq!(with("near \"SELCT\": syntax error"), FaultKind::Internal);
    }
}
