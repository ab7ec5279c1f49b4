//! What an operator does next, by error.

mod files;
mod store;

use crate::Fault;

/// The hint for a failure.
pub(crate) fn of(fault: &Fault) -> String {
    match fault {
        Fault::File(error) => files::file(error),
        Fault::Store(error) => store::store(error),
        Fault::Backup(error) => store::backup(error),
        Fault::Crypto(error) => store::crypto(error).to_owned(),
        Fault::Other(_) => String::new(),
    }
}
