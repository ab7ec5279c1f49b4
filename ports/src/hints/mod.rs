//! What an operator does next, by error.

mod files;
mod store;
mod tls;
mod token;

use crate::Fault;

/// The hint for a failure.
pub(crate) fn of(fault: &Fault) -> String {
    match fault {
        Fault::File(error) => files::file(error),
        Fault::Lock(error) => files::lock(error),
        Fault::PinMemory(error) => files::pin_memory(error),
        Fault::Wizard(error) => files::wizard(error),
        Fault::DekCache(error) => files::dek_cache(error),
        Fault::Assets(error) => files::assets(error),
        Fault::Tls(error) => tls::tls(error),
        Fault::WebServer(error) => tls::web_server(error),
        Fault::Store(error) => store::store(error),
        Fault::Backup(error) => store::backup(error),
        Fault::Crypto(error) => store::crypto(error).to_owned(),
        Fault::Token(error) => token::of(error),
        Fault::Other(_) => String::new(),
    }
}

/// The hint for a failure of the TLS credential.
#[must_use]
pub fn tls_hint(error: &crate::TlsError) -> String {
    tls::tls(error)
}
