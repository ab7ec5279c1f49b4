//! One start at a time (C11).

use std::time::Duration;

use crate::Fault;

/// Held for a whole start; dropping it releases the lock.
pub trait StartLockGuard {}

/// The lock that keeps two starts on one data volume apart.
pub trait StartLock {
    /// Takes the lock, waiting up to `wait`; `waiting` is called once, before the first wait.
    ///
    /// The lock MUST exclude every other process on the same data volume, and MUST be released by
    /// the kernel when this process dies.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::Busy`] if another holder kept it for all of `wait`,
    /// [`crate::FaultKind::DatabaseUnavailable`] if the place of the lock does not exist, and as
    /// [`Fault::io`] has it for all else.
    fn acquire(
        &self,
        wait: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, Fault>;
}
