//! Who files belong to that root makes on a node that runs as another user.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};

use camino::Utf8Path;
use ports::{Fault, ResultExt as _};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::directory::{create_directories, parent};

/// A user and a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// Of the database; of its directory where there is none.
    pub(crate) fn of_database(path: &Utf8Path) -> Result<Self, Fault> {
        let place = if path.exists() { path } else { parent(path) };
        let metadata = std::fs::metadata(place).or_io(|| format!("looking at {place}"))?;
        Ok(Self {
            user: metadata.uid(),
            group: metadata.gid(),
        })
    }

    /// Gives it the file. Whoever is not root makes files of its own alone.
    pub(crate) fn take(self, file: &File, what: &Utf8Path) -> Result<(), Fault> {
        let giving = || format!("giving {what} to the owner of the database");
        let metadata = file.metadata().or_io(giving)?;
        if !geteuid().is_root() || (metadata.uid(), metadata.gid()) == (self.user, self.group) {
            return Ok(());
        }
        fchown(file, Some(self.user), Some(self.group)).or_io(giving)
    }

    /// Makes a directory of its, where there is none.
    pub(crate) fn provide(self, directory: &Utf8Path) -> Result<(), Fault> {
        if directory.is_dir() {
            return Ok(());
        }
        create_directories(directory, 0o700)?;
        let made = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits() as i32)
            .open(directory)
            .or_io(|| format!("opening {directory}"))?;
        self.take(&made, directory)
    }
}
