//! Hints for the locks: of the data volume, and of a database that nodes share.

use ports::LockError;

use super::files::file;
use super::store::store;

/// For the start lock.
pub(super) fn lock(error: &LockError) -> String {
    match error {
        LockError::File(error) => file(error),
        LockError::Busy { path, .. } => format!(
            "wait for it to end, or find the process that holds it with `fuser -v {path}`; the \
             kernel releases the lock when that process dies"
        ),
        LockError::BusyElsewhere { .. } => {
            "wait for it to end; if that node is gone, the server gives the lock back as soon as it \
             notices, or at once where an administrator ends that backend: `SELECT \
             pg_terminate_backend(…)`"
                .into()
        }
        LockError::Store(error) => store(error),
        LockError::NoDirectory { .. } => {
            "is its volume mounted? Mount it or create the directory, then start again".into()
        }
    }
}
