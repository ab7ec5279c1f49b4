//! What `tls show` and `tls history` report.

use ports::{CredentialOrigin, StoredCredential};
use serde::Serialize;

use crate::report::spelling::{Moment, Name};

/// What `tls show` reports; what Nginx has is the report's `tls`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TlsShow {
    /// The active TLS server credential of the database; null where there is none.
    pub active: Option<ActiveReport>,
}

/// The active credential, with what its certificate says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveReport {
    /// As it is listed.
    #[serde(flatten)]
    pub credential: CredentialReport,
    /// Subject of the certificate.
    pub subject: String,
    /// Issuer of the certificate.
    pub issuer: String,
    /// Kind of the certificate's public key, like `ECDSA P-256`.
    pub key: String,
    /// DNS names and IP addresses of the certificate's subjectAltName.
    pub san: Vec<String>,
}

/// What `tls history` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TlsHistory {
    /// Every stored TLS server credential, the newest first.
    pub credentials: Vec<CredentialReport>,
}

/// A stored credential, as it is listed in the database.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialReport {
    /// SHA-256 over the certificate's DER, as it was stored: uppercase hexadecimal, a colon between
    /// bytes.
    pub sha256_fingerprint: String,
    /// Whether this program made it, or an operator brought it.
    pub origin: Name<CredentialOrigin>,
    /// Whether its private key is sealed under the DEK.
    pub key_sealed: bool,
    /// Whether it is the active one.
    pub active: bool,
    /// Start of the certificate's validity: RFC 3339, UTC.
    pub not_before: Moment,
    /// End of the certificate's validity: RFC 3339, UTC.
    pub not_after: Moment,
    /// When it was stored: RFC 3339, UTC; null where that cannot be told.
    pub stored_at: Option<Moment>,
}

impl From<&StoredCredential> for CredentialReport {
    fn from(stored: &StoredCredential) -> Self {
        Self {
            sha256_fingerprint: stored.facts.sha256_fingerprint.clone(),
            origin: Name(stored.origin),
            key_sealed: stored.is_sealed,
            active: stored.is_active,
            not_before: Moment(stored.facts.not_before),
            not_after: Moment(stored.facts.not_after),
            stored_at: stored.stored_at.map(Moment),
        }
    }
}
