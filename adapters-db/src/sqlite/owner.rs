//! Who files belong to that root makes on a node that runs as another user.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};

use camino::Utf8Path;
use ports::{FileError, ResultExt as _};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::sqlite::directory::{parent, sync_directory};

/// A user and a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// Of the database; of its directory where there is none.
    pub(crate) fn of_database(path: &Utf8Path) -> Result<Self, FileError> {
        Self::of(if path.exists() { path } else { parent(path) })
    }

    fn of(place: &Utf8Path) -> Result<Self, FileError> {
        let metadata = std::fs::metadata(place).or_io(|| format!("looking at {place}"))?;
        Ok(Self {
            user: metadata.uid(),
            group: metadata.gid(),
        })
    }

    /// Gives it the file. Whoever is not root makes files of its own alone.
    pub(crate) fn take(self, file: &File, what: &Utf8Path) -> Result<(), FileError> {
        let giving = || format!("giving {what} to the owner of the database");
        let metadata = file.metadata().or_io(giving)?;
        if !geteuid().is_root() || (metadata.uid(), metadata.gid()) == (self.user, self.group) {
            return Ok(());
        }
        fchown(file, Some(self.user), Some(self.group)).or_io(giving)
    }

    /// Makes a directory of its, where there is none.
    pub(crate) fn provide(self, directory: &Utf8Path) -> Result<(), FileError> {
        if directory.is_dir() {
            return Ok(());
        }
        create_directories(directory, 0o700)?;
        self.take_directory(directory)
    }

    fn take_directory(self, directory: &Utf8Path) -> Result<(), FileError> {
        let made = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits() as i32)
            .open(directory)
            .or_io(|| format!("opening {directory}"))?;
        self.take(&made, directory)
    }
}

/// Makes the directory and those above it, durable when it returns. Each belongs to the owner of
/// the one above it.
pub(crate) fn create_directories(directory: &Utf8Path, mode: u32) -> Result<(), FileError> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    if above != directory {
        create_directories(above, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(FileError::new(
            format!("creating the directory {directory}"),
            error,
        )),
        Ok(()) => Owner::of(above)?.take_directory(directory),
    }?;
    sync_directory(above)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn a_directory_that_root_makes_belongs_to_the_owner_of_the_one_above() {
        if !geteuid().is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        std::os::unix::fs::chown(root, Some(4711), Some(4712)).unwrap();
        create_directories(&root.join("a/b"), 0o700).unwrap();
        for (name, mode) in [("a", 0o755), ("a/b", 0o700)] {
            let made = std::fs::metadata(root.join(name)).unwrap();
            let seen = (made.uid(), made.gid(), made.mode() & 0o7777);
            assert_eq!(seen, (4711, 4712, mode), "{name}");
        }
    }
}
