//! Whether a start could write the database, asked before its first change.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use camino::Utf8Path;
use ports::{Fault, FaultKind, ResultExt as _};
use rustix::fs::{Access, statvfs};

use crate::directory::{nearest, parent};
use crate::look::{Sight, beside};
use crate::sql_error::{FREE_SPACE, refused};

/// What a new database takes, with its journal.
const ROOM_TO_CREATE: u64 = 192 << 10;
/// What the record of a start takes: the pages it changes, twice.
const ROOM_TO_RECORD: u64 = 32 << 10;

/// Whether the snapshot has room; changes nothing.
pub(crate) fn check_snapshot(path: &Utf8Path, snapshots: &Utf8Path) -> Result<(), Fault> {
    let directory = nearest(snapshots);
    let what = format!("no snapshot of the database {path} can be made in {snapshots}");
    check_right(&what, directory, Access::WRITE_OK | Access::EXEC_OK)?;
    let mut room = 0;
    for file in [path.to_owned(), beside(path, "-wal")] {
        room += std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    }
    // The record of the start comes after the snapshot.
    if device(directory)? == device(parent(path))? {
        room += ROOM_TO_RECORD;
    }
    check_room(&what, directory, room)
}

fn device(directory: &Utf8Path) -> Result<u64, Fault> {
    Ok(std::fs::metadata(directory)
        .map(|metadata| metadata.dev())
        .or_io(|| format!("looking at {directory}"))?)
}

/// Asks; changes nothing.
pub(crate) fn check(path: &Utf8Path, sight: Sight) -> Result<(), Fault> {
    let what = format!("the database {path} cannot be written");
    let directory = nearest(parent(path));
    let (is_there, room) = match sight {
        Sight::File(_) => (true, ROOM_TO_RECORD),
        Sight::Empty => (true, ROOM_TO_CREATE),
        Sight::Missing | Sight::MissingDirectory => (false, ROOM_TO_CREATE),
    };
    if is_there {
        check_right(&what, path, Access::WRITE_OK)?;
    }
    // SQLite makes its journal beside the file.
    check_right(&what, directory, Access::WRITE_OK | Access::EXEC_OK)?;
    check_room(&what, directory, room)
}

fn check_right(what: &str, place: &Utf8Path, right: Access) -> Result<(), Fault> {
    match refused(place, right) {
        None => Ok(()),
        Some((kind, hint)) => Err(Fault::new(kind, what, hint)),
    }
}

fn check_room(what: &str, directory: &Utf8Path, room: u64) -> Result<(), Fault> {
    let free =
        free(directory.as_std_path()).or_io(|| format!("asking for the room of {directory}"))?;
    if free >= room {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Io,
        format!(
            "{what}: its file system is full ({} KiB are free, {} KiB are needed)",
            free >> 10,
            room >> 10
        ),
        FREE_SPACE,
    ))
}

/// So many bytes can be written to the file system.
pub(crate) fn free(place: &Path) -> std::io::Result<u64> {
    let volume = statvfs(place)?;
    // A file system without a limit says that it has no blocks at all.
    Ok(if volume.f_blocks == 0 {
        u64::MAX
    } else {
        volume.f_bavail.saturating_mul(volume.f_frsize)
    })
}
