//! A stored TLS server credential: opened, and what is wrong with it.

use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, CredentialWithKey, Dek, FaultKind,
    StoredKey, TlsCredential,
};
use time::{Duration, OffsetDateTime};

use crate::error::Error;
use crate::node::Node;
use crate::refused::{Refused, Source};
use crate::report::rfc3339;

/// A certificate that ends within this time is warned about.
pub const SOON: Duration = Duration::days(30);

/// The active credential, as far as it can be used.
pub enum Active {
    /// There is none.
    Missing,
    /// Its key can be read and matches.
    Readable(TlsCredential, CertificateFacts),
    /// It is there and cannot be used.
    Unusable(Refused),
}

impl Active {
    /// Opens what the database has as the active one.
    pub fn open(node: &Node, stored: &ActiveCredential, dek: Option<&Dek>) -> Self {
        let opened = match stored {
            ActiveCredential::None => return Self::Missing,
            ActiveCredential::Unreadable(why) => {
                Err(unusable(node, "that is active", why.clone(), None))
            }
            ActiveCredential::Stored(stored) => open(node, stored, dek),
        };
        match opened {
            Ok((credential, facts)) => Self::Readable(credential, facts),
            Err(fault) => Self::Unusable(fault),
        }
    }
}

/// Finds the stored credential with this fingerprint.
///
/// # Errors
/// The database; [`Refused::UnusableCredential`] where its row cannot be read.
pub fn find(node: &Node, fingerprint: &str) -> Result<Option<CredentialWithKey>, Error> {
    node.store
        .credentials
        .find(fingerprint)
        .map_err(|error| match error.kind() {
            FaultKind::DataCorrupt => {
                let why = error.to_string();
                unusable(node, fingerprint, why, Some(Box::new(error))).into()
            }
            _ => error.into(),
        })
}

/// Refuses a credential whose private key is missing, which no DEK brings back.
///
/// # Errors
/// [`Refused::UnusableCredential`].
pub fn ensure_has_key(
    node: &Node,
    stored: CredentialWithKey,
) -> Result<CredentialWithKey, Refused> {
    match stored.key {
        StoredKey::Missing => Err(without_key(node, &stored)),
        StoredKey::Clear(_) | StoredKey::Sealed(_) => Ok(stored),
    }
}

/// Opens a stored credential and checks that its key is the one of its certificate.
///
/// # Errors
/// [`Refused::UnusableCredential`].
pub fn open(
    node: &Node,
    stored: &CredentialWithKey,
    dek: Option<&Dek>,
) -> Result<(TlsCredential, CertificateFacts), Refused> {
    let which = &stored.sha256_fingerprint;
    let unusable = |why: &str| unusable(node, which, why.to_owned(), None);
    let because = |error: Source| self::unusable(node, which, error.to_string(), Some(error));
    let private_key_pem = match (&stored.key, dek) {
        (StoredKey::Clear(key), _) => key.clone(),
        (StoredKey::Sealed(key), Some(dek)) => node
            .secrets
            .crypto
            .open_key(dek, key)
            .map_err(|error| because(Box::new(error)))?,
        (StoredKey::Sealed(_), None) => {
            return Err(unusable(
                "its private key is sealed and the DEK is out of reach",
            ));
        }
        (StoredKey::Missing, _) => return Err(without_key(node, stored)),
    };
    let credential = TlsCredential {
        private_key_pem,
        certificate_pem: stored.certificate_pem.clone(),
        chain_pem: stored.chain_pem.clone(),
    };
    let facts = node
        .web
        .issuer
        .inspect(&credential)
        .map_err(|error| because(Box::new(error)))?;
    if facts.sha256_fingerprint != stored.sha256_fingerprint {
        return Err(unusable(&format!(
            "its certificate has the fingerprint {}",
            facts.sha256_fingerprint
        )));
    }
    Ok((credential, facts))
}

fn without_key(node: &Node, stored: &CredentialWithKey) -> Refused {
    let why = "its private key is missing".to_owned();
    unusable(node, &stored.sha256_fingerprint, why, None)
}

fn unusable(node: &Node, which: &str, why: String, source: Option<Source>) -> Refused {
    Refused::UnusableCredential {
        which: which.to_owned(),
        database: node.settings.database_path.clone(),
        why,
        source,
    }
}

/// What is wrong with a validity, or soon will be.
pub fn problem(facts: &CertificateFacts, now: OffsetDateTime) -> Option<String> {
    let until = rfc3339(facts.not_after);
    if facts.has_ended_at(now) {
        Some(format!("is not valid any more (until {until})"))
    } else if !facts.is_valid_at(now) {
        Some(format!(
            "is not valid yet (from {}; this machine's clock says {}, is it right?)",
            rfc3339(facts.not_before),
            rfc3339(now)
        ))
    } else if facts.not_after - now < SOON {
        Some(format!("ends within 30 days, at {until}"))
    } else {
        None
    }
}

/// What to do about the end of a certificate: one that a CA has issued is not renewed by a
/// self-signed one.
pub fn remedy(node: &Node, facts: &CertificateFacts) -> &'static str {
    let is_it = |fingerprint: &str| fingerprint == facts.sha256_fingerprint;
    // Only the advice depends on it: what is wrong with the database is said elsewhere.
    let stored = node.store.credentials.list().unwrap_or_default();
    let origin = stored
        .iter()
        .find(|stored| is_it(&stored.facts.sha256_fingerprint))
        .map(|stored| stored.origin);
    match origin {
        Some(CredentialOrigin::Imported) => {
            "it was imported: have its CA issue a new one and import that with `trustpointctl tls \
             import`"
        }
        Some(CredentialOrigin::Generated) => "make a new one with `trustpointctl tls renew`",
        None => {
            "make a new self-signed one with `trustpointctl tls renew`, or import one of your CA \
             with `trustpointctl tls import`"
        }
    }
}
