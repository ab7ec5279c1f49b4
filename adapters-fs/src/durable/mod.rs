//! The one place where files change: temporary file, fsync, rename, fsync of the directory.
//!
//! Every change is made through an open directory: what stands at a path may be swapped by
//! whoever owns the directory above, what an open handle leads to may not. A temporary file stands
//! in the directory of the file it becomes, is created exclusively and with its final mode and
//! owner, and is named `.NAME.tpctl-RANDOM`. One that a killed process left behind is never read by
//! anything, and the next write of the same file removes it.

mod directory;
mod read;
mod temporary;

#[cfg(test)]
mod tests;

use camino::Utf8Path;
use ports::FileError;

pub(crate) use directory::{Directory, ensure_not_open_to_all};
pub(crate) use read::{if_there, is_absent, is_same_content, missing, open_regular, read_up_to};

/// Writes `bytes` to `path` in one step: a reader, and the disk after a crash, has the old content
/// or the new one. The mode is `mode` from the first byte on, whatever the umask; where root writes
/// into another user's directory, the file is that user's.
///
/// # Errors
/// A failed operation, and [`FileError::OpenToAll`] for a directory in which every user may replace
/// files; what stood there still stands there.
pub fn write_atomic(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let (directory, name) = directory_of(path)?;
    directory.ensure_not_open_to_all()?;
    directory.write_atomic(name, bytes, mode)
}

/// Creates `path` and its missing parents with `mode`, each durably; where root makes one in
/// another user's directory, it is that user's.
///
/// # Errors
/// A failed operation, also where something else than a directory has one of the names.
pub fn create_dirs(path: &Utf8Path, mode: u32) -> Result<(), FileError> {
    let mut names = Vec::new();
    for ancestor in ancestors(path) {
        let Some(mut directory) = Directory::open_if_there(ancestor)? else {
            names.extend(ancestor.components().next_back());
            continue;
        };
        for name in names.into_iter().rev() {
            directory = directory.provide_dir(name.as_str(), mode)?;
        }
        return Ok(());
    }
    Err(missing(format!("creating the directory {path}")))
}

/// The names in a directory, sorted; `None` where there is no directory. Names that are not UTF-8
/// are given with replacement characters, which makes them unknown names and nothing worse.
pub(crate) fn list(path: &Utf8Path) -> Result<Option<Vec<String>>, FileError> {
    Directory::open_if_there(path)?
        .map(|directory| directory.list())
        .transpose()
}

/// A path and the directories above it; the last one of a relative path is `.`.
pub(crate) fn ancestors(path: &Utf8Path) -> impl Iterator<Item = &Utf8Path> {
    path.ancestors().map(|ancestor| {
        if ancestor.as_str().is_empty() {
            Utf8Path::new(".")
        } else {
            ancestor
        }
    })
}

/// The directory a path stands in.
pub(crate) fn parent_of(path: &Utf8Path) -> Result<&Utf8Path, FileError> {
    split(path).map(|(parent, _)| parent)
}

/// Opens the directory of a file that is to change, and gives the file's name in it.
pub(crate) fn directory_of(path: &Utf8Path) -> Result<(Directory, &str), FileError> {
    let (parent, name) = split(path)?;
    let directory = Directory::open_if_there(parent)?;
    let directory = directory.ok_or_else(|| missing(format!("writing {path}")))?;
    Ok((directory, name))
}

fn split(path: &Utf8Path) -> Result<(&Utf8Path, &str), FileError> {
    match (ancestors(path).nth(1), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(FileError::NoFileName {
            path: path.to_string(),
        }),
    }
}
