//! `tls show` and `tls history`: nothing is changed, no lock is taken, no PIN is used.

use ports::{CertificateDetails, StoredCredential, TlsView};

use crate::credential;
use crate::error::Error;
use crate::node::{Node, Store};

/// The active credential, and what Nginx has.
pub struct Shown {
    /// The active credential, where there is one.
    pub active: Option<Active>,
    /// What Nginx has.
    pub nginx: TlsView,
}

/// The active credential.
pub struct Active {
    /// As it is listed.
    pub stored: StoredCredential,
    /// What its certificate says.
    pub details: CertificateDetails,
}

/// Looks at both.
///
/// # Errors
/// The database or the Nginx directory cannot be read.
pub fn show(node: &Node) -> Result<Shown, Error> {
    let list = node.store.credentials.list()?;
    let active = match list.into_iter().find(|stored| stored.is_active) {
        Some(stored) => active(node, stored)?,
        None => None,
    };
    Ok(Shown {
        active,
        nginx: node.web.tls.view()?,
    })
}

/// `None` where it is gone since it was listed.
fn active(node: &Node, stored: StoredCredential) -> Result<Option<Active>, Error> {
    let Some(found) = credential::find(node, &stored.facts.sha256_fingerprint)? else {
        return Ok(None);
    };
    let found = credential::ensure_has_key(node, found)?;
    let details = node.web.issuer.describe(&found.certificate_pem)?;
    Ok(Some(Active { stored, details }))
}

/// Every stored credential, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn history(store: &Store) -> Result<Vec<StoredCredential>, Error> {
    Ok(store.credentials.list()?)
}
