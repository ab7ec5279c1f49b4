//! The stored TLS server credentials: the active one and those that were active before.

use time::OffsetDateTime;

use crate::{ActiveCredential, CertificateFacts, Dek, Fault, TlsCredential};

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

/// The stored TLS server credentials of the node's database.
///
/// Errors of every method: as [`crate::Database`] has them.
pub trait Credentials {
    /// All of them, the newest first; MUST be empty for a database that is not initialised.
    ///
    /// # Errors
    /// See [`Credentials`].
    fn list(&self) -> Result<Vec<StoredCredential>, Fault>;

    /// The one with this fingerprint, active or not; MUST be `None` where there is none. Its key is
    /// `Sealed` where it is sealed and `dek` is `None`.
    ///
    /// # Errors
    /// See [`Credentials`]; MUST be [`crate::FaultKind::DataCorrupt`] where the key does not open
    /// under `dek`.
    fn find(&self, fingerprint: &str, dek: Option<&Dek>)
    -> Result<Option<ActiveCredential>, Fault>;

    /// As [`crate::Database::save_active_credential`], for a credential of this origin. One that is
    /// stored already keeps its origin, and takes the chain that is given here.
    ///
    /// # Errors
    /// See [`Credentials`].
    fn save_active(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        origin: CredentialOrigin,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault>;
}
