//! The plain DEK for the application that is started next (C22).

use crate::{Dek, Fault};

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
    /// MUST be [`crate::FaultKind::Config`] where it is not, naming the directory.
    fn check(&self) -> Result<Option<String>, Fault>;

    /// Reads the cache; MUST be `Absent` where there is no file, no directory, or nothing but the
    /// zeros that a removal leaves when it is killed, and `Unusable`
    /// for a file of another length, of another owner, or that others can read.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn read(&self) -> Result<CachedDek, Fault>;

    /// Whether a cache file exists, without looking into it.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn exists(&self) -> Result<bool, Fault>;

    /// Whether a DEK could be put there now, asked before the first change of a start: rights and
    /// room, in the directory or the nearest one above it that exists. Changes nothing.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn check_writable(&self) -> Result<(), Fault>;

    /// Puts the DEK there, mode 0600 from its first byte on. `false` where it already stood there.
    ///
    /// # Errors
    /// As [`DekCache::check`] and [`Fault::io`] have it.
    fn write(&self, dek: &Dek) -> Result<bool, Fault>;

    /// Removes the file; `false` where there was none.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn remove(&self) -> Result<bool, Fault>;

    /// The path of the file, for the application.
    fn path(&self) -> String;
}
