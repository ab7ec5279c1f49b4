//! Hints for files and directories.

use std::io::ErrorKind;

use crate::FileError;

/// For a file or directory.
pub(super) fn file(error: &FileError) -> String {
    match error.source.kind() {
        ErrorKind::PermissionDenied => "give the user that runs this program the right to it",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space on that file system, then start again; nothing is lost"
        }
        ErrorKind::ReadOnlyFilesystem => "mount that file system writable",
        ErrorKind::NotFound => "check that the path exists and its volume is mounted",
        _ => "check the path and the file system it stands on",
    }
    .to_owned()
}
