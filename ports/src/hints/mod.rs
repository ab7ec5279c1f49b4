//! What an operator does next, by error.

mod token;

use std::io::ErrorKind;

use crate::{Fault, FileError};

/// The hint for a failure.
pub(crate) fn of(fault: &Fault) -> String {
    match fault {
        Fault::File(error) => file(error).to_owned(),
        Fault::Token(error) => token::of(error),
        Fault::Other(_) => String::new(),
    }
}

fn file(error: &FileError) -> &'static str {
    match error.source.kind() {
        ErrorKind::PermissionDenied => "give the user that runs this program the right to it",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space on that file system, then start again; nothing is lost"
        }
        ErrorKind::ReadOnlyFilesystem => "mount that file system writable",
        ErrorKind::NotFound => "check that the path exists and its volume is mounted",
        _ => "check the path and the file system it stands on",
    }
}
