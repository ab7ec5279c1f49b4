//! A stored TLS server credential: opened, and what is wrong with it.

use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, CredentialWithKey, Dek, Fault, FaultKind,
    StoredKey, TlsCredential,
};
use time::{Duration, OffsetDateTime};

use crate::node::Node;
use crate::report::rfc3339;

/// A certificate that ends within this time is warned about.
const SOON: Duration = Duration::days(30);

const UNUSABLE: &str = "make a new self-signed one with `trustpointctl tls renew`, import one of \
                        your CA with `trustpointctl tls import`, put an earlier one to use with \
                        `trustpointctl tls activate`, or bring an older database back with \
                        `trustpointctl backup restore`; nothing was overwritten";

/// The active credential, as far as it can be used.
pub enum Active {
    /// There is none.
    Missing,
    /// Its key can be read and matches.
    Readable(TlsCredential, CertificateFacts),
    /// It is there and cannot be used.
    Unusable(Fault),
}

impl Active {
    /// Opens what the database has as the active one.
    pub fn open(node: &Node, stored: &ActiveCredential, dek: Option<&Dek>) -> Self {
        let opened = match stored {
            ActiveCredential::None => return Self::Missing,
            ActiveCredential::Unreadable(why) => Err(unusable(node, "that is active", why)),
            ActiveCredential::Stored(stored) => open(node, stored, dek),
        };
        match opened {
            Ok((credential, facts)) => Self::Readable(credential, facts),
            Err(fault) => Self::Unusable(fault),
        }
    }
}

/// Opens a stored credential and checks that its key is the one of its certificate.
///
/// # Errors
/// [`FaultKind::DataCorrupt`] with the ways out.
pub fn open(
    node: &Node,
    stored: &CredentialWithKey,
    dek: Option<&Dek>,
) -> Result<(TlsCredential, CertificateFacts), Fault> {
    let unusable = |why: &str| unusable(node, &stored.sha256_fingerprint, why);
    let private_key_pem = match (&stored.key, dek) {
        (StoredKey::Clear(key), _) => key.clone(),
        (StoredKey::Sealed(key), Some(dek)) => node
            .secrets
            .crypto
            .open_key(dek, key)
            .map_err(|fault| unusable(&fault.to_string()).because(fault))?,
        (StoredKey::Sealed(_), None) => {
            return Err(unusable(
                "its private key is sealed and the DEK is out of reach",
            ));
        }
        (StoredKey::Missing, _) => return Err(unusable("its private key is missing")),
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
        .map_err(|fault| unusable(&fault.to_string()).because(fault))?;
    if facts.sha256_fingerprint != stored.sha256_fingerprint {
        return Err(unusable(&format!(
            "its certificate has the fingerprint {}",
            facts.sha256_fingerprint
        )));
    }
    Ok((credential, facts))
}

fn unusable(node: &Node, which: &str, why: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!(
            "the TLS server credential {which} in {} cannot be used: {why}",
            node.settings.database_path
        ),
        UNUSABLE,
    )
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
