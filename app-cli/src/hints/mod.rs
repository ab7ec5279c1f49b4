//! What an operator does next, by error. The one place that spells commands and configuration keys
//! for errors: whoever found one does not know how it is asked for.

mod common;
mod files;
mod lock;
mod refused;
mod store;
mod tls;
mod token;

use usecases::error::Error;

/// The hint for an error.
#[must_use]
pub fn of(error: &Error) -> String {
    match error {
        Error::File(error) => files::file(error),
        Error::Lock(error) => lock::lock(error),
        Error::Wizard(error) => files::wizard(error),
        Error::DekCache(error) => files::dek_cache(error),
        Error::Assets(error) => files::assets(error),
        Error::Tls(error) => tls::tls(error),
        Error::Store(error) => store::store(error),
        Error::Backup(error) => store::backup(error),
        Error::Crypto(error) => store::crypto(error).to_owned(),
        Error::Token(error) => token::of(error),
        Error::Refused(refused) => refused::of(refused),
        // It carries its own: see `failure::hint_of`.
        Error::Pin(_) => String::new(),
    }
}
