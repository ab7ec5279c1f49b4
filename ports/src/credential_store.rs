//! The stored TLS server credentials: the active one and those that were active before.

use domain::InstallationId;
use time::OffsetDateTime;

use crate::{CertificateFacts, Dek, Event, Secret, StoreError, TlsCredential};

/// Where a stored credential comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialOrigin {
    /// This program made it.
    Generated,
    /// An operator brought it.
    Imported,
}

impl CredentialOrigin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Generated, Self::Imported];

    /// The spelling in the database and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Imported => "imported",
        }
    }
}

/// A stored credential without its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredCredential {
    /// What its certificate says, as it was stored.
    pub facts: CertificateFacts,
    /// Where it comes from.
    pub origin: CredentialOrigin,
    /// Whether its private key is sealed under the DEK.
    pub is_sealed: bool,
    /// Whether it is the active one.
    pub is_active: bool,
    /// When it was stored; `None` where that cannot be told.
    pub stored_at: Option<OffsetDateTime>,
}

/// A private key that is sealed under the DEK, with what it is bound to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedKey {
    /// Nonce and ciphertext, in the format that names itself.
    pub blob: Vec<u8>,
    /// The installation it opens in.
    pub installation: InstallationId,
    /// The fingerprint of the certificate that it belongs to.
    pub fingerprint: String,
}

/// The private key of a stored credential.
#[derive(Clone, Debug)]
pub enum StoredKey {
    /// PKCS#8 as PEM.
    Clear(Secret),
    /// Sealed under the DEK.
    Sealed(SealedKey),
    /// None, or of no format that this program knows.
    Missing,
}

/// A stored credential with its key.
#[derive(Clone, Debug)]
pub struct CredentialWithKey {
    /// The fingerprint it is stored under.
    pub sha256_fingerprint: String,
    /// The server's certificate as PEM.
    pub certificate_pem: String,
    /// Its chain as PEM.
    pub chain_pem: Option<String>,
    /// Its key.
    pub key: StoredKey,
    /// Where it comes from.
    pub origin: CredentialOrigin,
}

/// The active TLS server credential.
#[derive(Clone, Debug)]
pub enum ActiveCredential {
    /// There is none.
    None,
    /// One is marked active and cannot be read: why.
    Unreadable(String),
    /// This one.
    Stored(Box<CredentialWithKey>),
}

/// The stored TLS server credentials of the node's database. Errors: see [`crate::NodeStore`]. The
/// active one is read with the record ([`crate::NodeRecord::active_credential`]).
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait CredentialStore {
    /// All of them, the newest first; MUST be empty for a database that is not initialised.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn list(&self) -> Result<Vec<StoredCredential>, StoreError>;

    /// The one with this fingerprint, active or not; MUST be `None` where there is none.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn find(&self, fingerprint: &str) -> Result<Option<CredentialWithKey>, StoreError>;

    /// Saves a credential and makes it the active one, in one transaction with the event; the one
    /// before stays.
    /// The key is sealed under `dek` where one is given, bound to installation and fingerprint. A
    /// credential that is stored already (same fingerprint) is activated: it keeps its origin,
    /// takes the certificate and the chain that are given here, and is sealed where it was not; the same
    /// transaction MUST then note that a scrub is due. Where all of it stands there already, nothing is
    /// written, the event neither.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn save_active<'a>(
        &self,
        credential: &NewCredential<'a>,
        dek: Option<&'a Dek>,
        event: &Event,
    ) -> Result<(), StoreError>;

    /// Seals every private key that still stands in the clear, in one transaction, which MUST note that
    /// a scrub is due: clear bytes may be left in free parts of a file until [`crate::NodeStore::scrub`].
    /// Returns how many.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn seal_all(&self, dek: &Dek) -> Result<usize, StoreError>;
}

/// A credential that is to be saved.
#[derive(Clone, Copy, Debug)]
pub struct NewCredential<'a> {
    /// Key, certificate and chain.
    pub credential: &'a TlsCredential,
    /// What the certificate says.
    pub facts: &'a CertificateFacts,
    /// Where it comes from.
    pub origin: CredentialOrigin,
}
