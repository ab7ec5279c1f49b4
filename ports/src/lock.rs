//! One start at a time (C11).

use std::time::Duration;

use crate::{FaultKind, FileError, StoreError};

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum LockError {
    /// The lock file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another start holds it.
    #[error(
        "another start has held the lock {path} for longer than {} s",
        waited.as_secs_f64()
    )]
    Busy { path: String, waited: Duration },
    /// Another node holds the lock of the database.
    #[error(
        "the lock of the database {database} has been held for longer than {} s: {holder}",
        waited.as_secs_f64()
    )]
    BusyElsewhere {
        database: String,
        waited: Duration,
        holder: String,
    },
    /// The database cannot be asked for its lock.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place of the lock is not there.
    #[error("the data directory {directory} {problem}")]
    NoDirectory {
        directory: String,
        problem: &'static str,
    },
}

impl LockError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Busy { .. } | Self::BusyElsewhere { .. } => FaultKind::Busy,
            Self::Store(error) => error.kind(),
            Self::NoDirectory { .. } => FaultKind::DatabaseUnavailable,
        }
    }
}

/// Held for a whole start; dropping it releases the lock.
pub trait StartLockGuard {}

/// The lock that keeps two starts apart: on one data volume, or on one database that nodes share.
pub trait StartLock {
    /// Takes the lock, waiting up to `wait`; `waiting` is called once, before the first wait.
    ///
    /// The lock MUST exclude every other process on the same data volume, or on the same database,
    /// and MUST be released without this process when it dies.
    ///
    /// # Errors
    /// MUST be of the kind [`FaultKind::Busy`] if another holder kept it for all of `wait`, and
    /// [`LockError::NoDirectory`] if the place of the lock does not exist.
    fn acquire(
        &self,
        wait: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError>;
}
