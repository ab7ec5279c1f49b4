//! The one place where files change: temporary file, fsync, rename, fsync of the directory.
//!
//! Every change is made through an open directory: what stands at a path may be swapped by
//! whoever owns the directory above, what an open handle leads to may not. A temporary file stands
//! in the directory of the file it becomes, is created exclusively and with its final mode and
//! owner, and is named `.NAME.tpctl-RANDOM`. One that a killed process left behind is never read by
//! anything, and the next write of the same file removes it.
//!
//! The functions here take a path and open its directory for one change; who makes several changes
//! in one directory opens it once.

mod directory;
mod read;
mod temporary;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind};

use camino::Utf8Path;
use ports::{Fault, FaultKind};

pub(crate) use directory::{Directory, refuse_open_to_all};
pub(crate) use read::{is_absent, is_same_content, open_regular, read_up_to};
pub(crate) use temporary::is_temporary;

/// Writes `bytes` to `path` in one step: a reader, and the disk after a crash, has the old content
/// or the new one. The mode is `mode` from the first byte on, whatever the umask; where root writes
/// into another user's directory, the file is that user's.
///
/// # Errors
/// As [`Fault::io`] has it, and [`FaultKind::Config`] for a directory in which every user may
/// replace files; what stood there still stands there.
pub fn write_atomic(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    let (directory, name) = directory_of(path)?;
    directory.refuse_open_to_all()?;
    directory.write_atomic(name, bytes, mode)
}

/// Creates `path` and its missing parents with `mode`, each durably; where root makes one in
/// another user's directory, it is that user's.
///
/// # Errors
/// As [`Fault::io`] has it, also where something else than a directory has one of the names.
pub fn create_dirs(path: &Utf8Path, mode: u32) -> Result<(), Fault> {
    let mut missing = Vec::new();
    let mut standing = None;
    for ancestor in path.ancestors() {
        let shown = if ancestor.as_str().is_empty() {
            Utf8Path::new(".")
        } else {
            ancestor
        };
        match Directory::open_if_there(shown)? {
            Some(directory) => {
                standing = Some(directory);
                break;
            }
            None => missing.extend(ancestor.components().next_back()),
        }
    }
    let Some(mut directory) = standing else {
        return Err(Fault::io(
            format!("creating the directory {path}"),
            ErrorKind::NotFound.into(),
        ));
    };
    for name in missing.into_iter().rev() {
        directory = directory.provide_dir(name.as_str(), mode)?;
    }
    Ok(())
}

/// Replaces `path` by what `fill` writes, without a sync of the directory.
pub(crate) fn replace_with(
    path: &Utf8Path,
    mode: u32,
    fill: impl FnMut(&mut File) -> io::Result<()>,
) -> Result<(), Fault> {
    let (directory, name) = directory_of(path)?;
    directory.replace_with(name, mode, fill)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Utf8Path) -> Result<(), Fault> {
    match Directory::open_if_there(path)? {
        Some(directory) => directory.sync(),
        None => Err(Fault::io(
            format!("syncing the directory {path}"),
            ErrorKind::NotFound.into(),
        )),
    }
}

/// The names in a directory, sorted; `None` where there is no directory. Names that are not UTF-8
/// are given with replacement characters, which makes them unknown names and nothing worse.
pub(crate) fn list(path: &Utf8Path) -> Result<Option<Vec<String>>, Fault> {
    Directory::open_if_there(path)?
        .map(|directory| directory.list())
        .transpose()
}

/// Removes the temporary files that killed writes of `path` left behind.
pub(crate) fn remove_leftovers(path: &Utf8Path) -> Result<(), Fault> {
    let (parent, name) = split(path)?;
    match Directory::open_if_there(parent)? {
        Some(directory) => directory.remove_leftovers(name),
        None => Ok(()),
    }
}

/// The directory a path stands in.
pub(crate) fn parent_of(path: &Utf8Path) -> Result<&Utf8Path, Fault> {
    split(path).map(|(parent, _)| parent)
}

/// Opens the directory of a file that is to change, and gives the file's name in it.
fn directory_of(path: &Utf8Path) -> Result<(Directory, &str), Fault> {
    let (parent, name) = split(path)?;
    match Directory::open_if_there(parent)? {
        Some(directory) => Ok((directory, name)),
        None => Err(Fault::io(
            format!("writing {path}"),
            ErrorKind::NotFound.into(),
        )),
    }
}

fn split(path: &Utf8Path) -> Result<(&Utf8Path, &str), Fault> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent.as_str().is_empty() => Ok((Utf8Path::new("."), name)),
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(Fault::new(
            FaultKind::Config,
            format!("{path:?} cannot be the path of a file"),
            "configure a path with a file name",
        )),
    }
}
