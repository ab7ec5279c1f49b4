//! Rights and free space of paths, never the content of a file.

use crate::FileError;

/// What stands at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathFacts {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The permission bits.
    pub mode: u32,
    /// The user it belongs to.
    pub owner: u32,
    /// Whether that is the user of this process.
    pub is_own: bool,
}

impl PathFacts {
    /// Whether it is a directory in which every user may replace files.
    #[must_use]
    pub const fn is_open_to_all(&self) -> bool {
        self.is_directory && is_open_to_all(self.mode)
    }
}

/// Whether a directory of this mode lets every user replace files: others may write, and no sticky
/// bit leaves each file to its owner.
#[must_use]
pub const fn is_open_to_all(mode: u32) -> bool {
    mode & 0o1002 == 0o0002
}

/// Free space of a file system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FreeSpace {
    /// Bytes that this user can still write.
    pub free: u64,
    /// Bytes in all; 0 where the file system has no limit.
    pub total: u64,
}

impl FreeSpace {
    /// Whether so many bytes can be written.
    #[must_use]
    pub const fn has(&self, bytes: u64) -> bool {
        self.total == 0 || self.free >= bytes
    }
}

/// Rights and free space of paths.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait FileSystem {
    /// Looks, through symbolic links; changes nothing. MUST be `None` where nothing stands there.
    ///
    /// # Errors
    /// A path that cannot be looked at.
    fn look(&self, path: &str) -> Result<Option<PathFacts>, FileError>;

    /// Free space where the path stands, or would stand: that of its nearest existing parent.
    ///
    /// # Errors
    /// A file system that does not say.
    fn free_space(&self, path: &str) -> Result<FreeSpace, FileError>;
}
