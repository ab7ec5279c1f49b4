//! Whether a start could write the database, asked before its first change: rights and free space.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use camino::Utf8Path;
use ports::{FileError, ResultExt as _, StoreError};
use rustix::fs::{Access, statvfs};

use crate::sqlite::directory::{nearest, parent};
use crate::sqlite::path_state::{PathState, beside};
use crate::sqlite::sql_error::missing_right;

/// What a new database takes, with its journal.
const NEW_DATABASE: u64 = 192 << 10;
/// What the record of a start takes: the pages it changes, twice.
const RECORD: u64 = 32 << 10;

/// Whether a snapshot of a database in a file could be made; changes nothing.
pub(crate) fn check_snapshot(path: &Utf8Path, snapshots: &Utf8Path) -> Result<(), StoreError> {
    let mut bytes = 0;
    for file in [path.to_owned(), beside(path, "-wal")] {
        bytes += std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    }
    // The record of the start comes after the snapshot.
    if device(nearest(snapshots))? == device(parent(path))? {
        bytes += RECORD;
    }
    check_copy(path, snapshots, bytes)
}

/// Whether a snapshot of a database on a server, which has so many bytes in its tables, could be made.
pub(crate) fn check_snapshot_of_server(
    name: &Utf8Path,
    snapshots: &Utf8Path,
    bytes: u64,
) -> Result<(), StoreError> {
    check_copy(name, snapshots, bytes + NEW_DATABASE)
}

fn check_copy(name: &Utf8Path, snapshots: &Utf8Path, needed: u64) -> Result<(), StoreError> {
    let directory = nearest(snapshots);
    let what = format!("no snapshot of the database {name} can be made in {snapshots}");
    check_right(&what, directory, Access::WRITE_OK | Access::EXEC_OK)?;
    check_space(&what, directory, needed)
}

fn device(directory: &Utf8Path) -> Result<u64, FileError> {
    std::fs::metadata(directory)
        .map(|metadata| metadata.dev())
        .or_io(|| format!("looking at {directory}"))
}

/// Whether the database could be written; changes nothing.
pub(crate) fn check(path: &Utf8Path, state: PathState) -> Result<(), StoreError> {
    let what = format!("the database {path} cannot be written");
    let directory = nearest(parent(path));
    let (is_there, needed) = match state {
        PathState::File(_) => (true, RECORD),
        PathState::Empty => (true, NEW_DATABASE),
        PathState::Missing | PathState::MissingDirectory => (false, NEW_DATABASE),
    };
    if is_there {
        check_right(&what, path, Access::WRITE_OK)?;
    }
    // SQLite makes its journal beside the file.
    check_right(&what, directory, Access::WRITE_OK | Access::EXEC_OK)?;
    check_space(&what, directory, needed)
}

fn check_right(what: &str, place: &Utf8Path, right: Access) -> Result<(), StoreError> {
    match missing_right(place, right) {
        None => Ok(()),
        Some(trouble) => Err(StoreError::NotWritable {
            what: what.to_owned(),
            trouble,
        }),
    }
}

fn check_space(what: &str, directory: &Utf8Path, needed: u64) -> Result<(), StoreError> {
    let free =
        free(directory.as_std_path()).or_io(|| format!("asking for the room of {directory}"))?;
    if free >= needed {
        return Ok(());
    }
    Err(StoreError::NoSpace {
        what: what.to_owned(),
        free,
        needed,
    })
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
