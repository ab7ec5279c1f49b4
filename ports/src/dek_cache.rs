//! The plain DEK for the application that is started next (C22).

use crate::{Dek, FaultKind, FileError};

/// What can go wrong with the DEK cache.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum DekCacheError {
    /// Its file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// The runtime directory is another user's.
    #[error(
        "the runtime directory {directory} belongs to user {owner}, and this process runs as user \
         {user}"
    )]
    OtherOwner {
        directory: String,
        owner: u32,
        user: u32,
    },
    /// The runtime directory does not stand on a tmpfs.
    #[error(
        "the runtime directory {directory} stands on {file_system}, not on a tmpfs: the plain DEK \
         would reach a disk"
    )]
    OnDisk {
        directory: String,
        file_system: String,
    },
    /// Something else than a directory stands in the way.
    #[error("the runtime directory {directory} cannot be used: {path} is not a directory")]
    NoDirectory { directory: String, path: String },
}

impl DekCacheError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::OtherOwner { .. } | Self::OnDisk { .. } | Self::NoDirectory { .. } => {
                FaultKind::Config
            }
        }
    }
}

/// What the cache holds.
#[derive(Clone, Debug)]
pub enum CachedDek {
    /// No file.
    Absent,
    /// A DEK of the right length.
    Present(Dek),
    /// A file that cannot be a DEK, and why. It is not used, and never trusted.
    Unusable(String),
}

/// The DEK cache.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait DekCache {
    /// Whether the cache may hold a DEK, before anything is changed: its directory is a tmpfs (or
    /// another file system is allowed by configuration), not every user may replace files in it, and
    /// it belongs to this process's user; root may do what its owner may.
    ///
    /// A directory that does not exist yet MUST be judged by its nearest existing parent.
    /// Returns a warning where only the configuration makes it allowed.
    ///
    /// # Errors
    /// MUST be of the kind [`FaultKind::Config`] where it may not.
    fn check(&self) -> Result<Option<String>, DekCacheError>;

    /// Reads the cache; MUST be `Absent` where there is no file, no directory, or nothing but the
    /// zeros that a removal leaves when it is killed, and `Unusable`
    /// for a file of another length, of another owner, or that others can read.
    ///
    /// # Errors
    /// A file or directory that cannot be read or changed.
    fn read(&self) -> Result<CachedDek, DekCacheError>;

    /// Whether a cache file exists, without looking into it.
    ///
    /// # Errors
    /// A file or directory that cannot be read or changed.
    fn exists(&self) -> Result<bool, DekCacheError>;

    /// Whether a DEK could be put there now, asked before the first change of a start: rights and
    /// room, in the directory or the nearest one above it that exists. Changes nothing.
    ///
    /// # Errors
    /// A file or directory that cannot be read or changed.
    fn check_writable(&self) -> Result<(), DekCacheError>;

    /// Puts the DEK there, mode 0600 from its first byte on. `false` where it already stood there.
    ///
    /// # Errors
    /// As [`DekCache::check`], and a file or directory that cannot be changed.
    fn write(&self, dek: &Dek) -> Result<bool, DekCacheError>;

    /// Removes the file; `false` where there was none.
    ///
    /// # Errors
    /// A file or directory that cannot be read or changed.
    fn remove(&self) -> Result<bool, DekCacheError>;

    /// The path of the file, for the application.
    fn path(&self) -> String;
}
