//! `tls show` and `tls history`: nothing is changed, no lock is taken, no PIN is used.

use ports::{CertificateDetails, StoredCredential, TlsView};

use crate::credential;
use crate::error::Error;
use crate::node::{Node, Store};

/// The active credential, and what Nginx has.
pub struct Shown {
    /// The active credential as it is listed, where there is one.
    pub active: Option<StoredCredential>,
    /// What its certificate says, where it can be read.
    pub details: Option<CertificateDetails>,
    /// What Nginx has.
    pub nginx: TlsView,
}

/// Looks at both.
///
/// # Errors
/// The database or the Nginx directory cannot be read.
pub fn show(node: &Node) -> Result<Shown, Error> {
    let list = node.store.credentials.list()?;
    let active = list.into_iter().find(|stored| stored.is_active);
    let details = match &active {
        Some(stored) => {
            let found = credential::find(node, &stored.facts.sha256_fingerprint)?;
            let found = found.map(|found| credential::ensure_has_key(node, found));
            let found = found.transpose()?;
            found
                .map(|found| node.web.issuer.describe(&found.certificate_pem))
                .transpose()?
        }
        None => None,
    };
    Ok(Shown {
        active,
        details,
        nginx: node.web.tls.view()?,
    })
}

/// Every stored credential, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn history(store: &Store) -> Result<Vec<StoredCredential>, Error> {
    Ok(store.credentials.list()?)
}
