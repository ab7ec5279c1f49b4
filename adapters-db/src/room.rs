//! Whether a start could write the database, asked before its first change.

use camino::Utf8Path;
use ports::{Fault, FaultKind, ResultExt as _};
use rustix::fs::{Access, statvfs};

use crate::look::Sight;
use crate::sql_error::{FREE_SPACE, parent, refused};

/// What a new database takes, with its journal.
const ROOM_TO_CREATE: u64 = 192 << 10;
/// What the record of a start takes: the pages it changes, twice.
const ROOM_TO_RECORD: u64 = 32 << 10;

/// Asks; changes nothing.
pub(crate) fn check(path: &Utf8Path, sight: Sight) -> Result<(), Fault> {
    let directory = existing(parent(path));
    match sight {
        Sight::File(_) => {
            check_right(path, path, Access::WRITE_OK)?;
            check_directory(path, directory)?;
            check_room(path, directory, ROOM_TO_RECORD)
        }
        Sight::Empty => {
            check_right(path, path, Access::WRITE_OK)?;
            check_directory(path, directory)?;
            check_room(path, directory, ROOM_TO_CREATE)
        }
        Sight::Missing | Sight::MissingDirectory => {
            check_directory(path, directory)?;
            check_room(path, directory, ROOM_TO_CREATE)
        }
    }
}

/// SQLite makes its journal beside the file.
fn check_directory(path: &Utf8Path, directory: &Utf8Path) -> Result<(), Fault> {
    check_right(path, directory, Access::WRITE_OK | Access::EXEC_OK)
}

fn check_right(path: &Utf8Path, place: &Utf8Path, right: Access) -> Result<(), Fault> {
    match refused(place, right) {
        None => Ok(()),
        Some((kind, hint)) => Err(Fault::new(kind, cannot_be_written(path), hint)),
    }
}

fn check_room(path: &Utf8Path, directory: &Utf8Path, room: u64) -> Result<(), Fault> {
    let volume = statvfs(directory.as_std_path())
        .map_err(std::io::Error::from)
        .or_io(|| format!("asking for the room of {directory}"))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    // A file system without a limit says that it has no blocks at all.
    if volume.f_blocks == 0 || free >= room {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Io,
        format!(
            "{}: its file system is full ({} KiB are free, {} KiB are needed)",
            cannot_be_written(path),
            free >> 10,
            room >> 10
        ),
        FREE_SPACE,
    ))
}

fn cannot_be_written(path: &Utf8Path) -> String {
    format!("the database {path} cannot be written")
}

fn existing(directory: &Utf8Path) -> &Utf8Path {
    directory
        .ancestors()
        .find(|ancestor| !ancestor.as_str().is_empty() && ancestor.exists())
        .unwrap_or(Utf8Path::new("."))
}
