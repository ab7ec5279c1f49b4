//! Temporary names, and the removal of what has one.

use std::ffi::CString;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// What every temporary name has between the name it becomes and its random end.
const INFIX: &str = ".tpctl-";

/// A name for what is being made; what has it is removed when this is dropped, unless it is kept.
#[must_use]
pub(crate) struct Temporary<'a> {
    directory: &'a File,
    /// The temporary name.
    pub(crate) name: String,
    is_kept: bool,
}

impl<'a> Temporary<'a> {
    /// A name in a directory for what will become `name`; creates nothing.
    pub(super) fn new(directory: &'a File, name: &str) -> Self {
        // It only has to be another one each time: what has it is created exclusively.
        let random = RandomState::new().hash_one(());
        Self {
            directory,
            name: format!("{}{random:016x}", prefix(name)),
            is_kept: false,
        }
    }

    /// It was renamed: there is nothing to remove.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // The write has failed already and its error is on its way to the operator. What cannot
            // be removed now (a volume that became read-only) is removed by the next write.
            let _ = remove_tree(self.directory, self.name.as_str());
        }
    }
}

/// Whether `name` is the name of a temporary file or directory.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.contains(INFIX)
}

/// What the temporary names of a file begin with.
pub(super) fn prefix(name: &str) -> String {
    format!(".{name}{INFIX}")
}

/// The names in a directory, in no order.
pub(super) fn names(directory: &File) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes a file, or a directory with all that is in it. Follows no link.
pub(super) fn remove_tree(directory: &File, name: impl Arg + Copy) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        result => return result.map_err(io::Error::from),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let below = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    for name in names(&below)? {
        remove_tree(&below, name.as_c_str())?;
    }
    rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR).map_err(io::Error::from)
}
