//! Directories, and what is made and removed in them.

use std::fs::{File, FileType};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::Path;

use camino::Utf8Path;
use ports::{FileError, ResultExt as _};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use rustix::io::Errno;

use crate::sqlite::identity::DESCRIPTORS;

/// The directory a path stands in.
pub(crate) fn parent(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}

/// What is there of the path: itself, or the nearest above it.
pub(crate) fn nearest(path: &Utf8Path) -> &Utf8Path {
    nearest_that(path, Utf8Path::exists)
}

/// The directory, or the nearest above it that is there.
pub(crate) fn nearest_directory(path: &Utf8Path) -> &Utf8Path {
    nearest_that(path, Utf8Path::is_dir)
}

fn nearest_that(path: &Utf8Path, fits: impl Fn(&Utf8Path) -> bool) -> &Utf8Path {
    path.ancestors()
        .find(|ancestor| !ancestor.as_str().is_empty() && fits(ancestor))
        .unwrap_or(Utf8Path::new("."))
}

/// Makes what was created, renamed or removed in the directory durable.
pub(crate) fn sync_directory(directory: &Utf8Path) -> Result<(), FileError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .or_io(|| format!("syncing the directory {directory}"))
}

/// A file without a name: no other process can open it, and it ends with this one.
pub(crate) fn unnamed_file(directory: &Path) -> std::io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR).map(File::from)?)
}

/// Gives a file without a name this one.
pub(crate) fn link(file: &File, directory: impl AsFd, name: &Path) -> Result<(), Errno> {
    let number = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
    match linkat(CWD, number, &directory, name, AtFlags::SYMLINK_FOLLOW) {
        // Where /proc is not mounted; older kernels want a capability for it.
        Err(Errno::NOENT) => linkat(file, "", directory, name, AtFlags::EMPTY_PATH),
        linked => linked,
    }
}

/// What stands at the path itself, where something does.
pub(crate) fn kind_of(path: &Utf8Path) -> Result<Option<FileType>, FileError> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new(format!("looking at {path}"), error)),
    }
}

/// Removes the file; `false` where there is none.
pub(crate) fn remove_if_there(file: &Utf8Path) -> std::io::Result<bool> {
    match std::fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
