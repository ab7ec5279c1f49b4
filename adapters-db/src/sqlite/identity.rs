//! Which file it is, whatever its name.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;

/// Where the kernel shows this process's open files.
pub(crate) const DESCRIPTORS: &str = "/proc/self/fd";

/// Device and inode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// Of what this was told of.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }

    /// Of an open file.
    pub(crate) fn of_file(file: &File) -> Result<Self> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }

    /// Of what stands at the path now, through every link, where something does.
    pub(crate) fn at(path: &Utf8Path) -> Option<Self> {
        std::fs::metadata(path)
            .ok()
            .map(|metadata| Self::of(&metadata))
    }
}

/// How many descriptors of this process are of this file.
pub(crate) fn descriptors_of(file: &File) -> Result<usize> {
    let ours = Identity::of_file(file)?;
    let mut count = 0;
    for entry in std::fs::read_dir(DESCRIPTORS)? {
        count += match std::fs::metadata(entry?.path()) {
            Ok(metadata) => usize::from(Identity::of(&metadata) == ours),
            // Closed meanwhile: the one that reads this directory, or another thread's.
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(count)
}
