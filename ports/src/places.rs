//! Files and directories as an inspector sees them: rights and room, never their content.

use crate::Fault;

/// What stands at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlaceFacts {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The permission bits.
    pub mode: u32,
    /// The user it belongs to.
    pub owner: u32,
    /// Whether that is the user of this process.
    pub is_own: bool,
}

impl PlaceFacts {
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

/// Room on the file system of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// Bytes that this user can still write.
    pub free: u64,
    /// Bytes in all; 0 where the file system has no limit.
    pub total: u64,
}

/// Files and directories, looked at from outside.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait Places {
    /// Looks, through symbolic links; changes nothing. MUST be `None` where nothing stands there.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn look(&self, path: &str) -> Result<Option<PlaceFacts>, Fault>;

    /// Room where the path stands, or would stand: that of its nearest existing parent.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn room(&self, path: &str) -> Result<Room, Fault>;
}
