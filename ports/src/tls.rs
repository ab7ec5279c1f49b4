//! The TLS server credential: made, inspected, and given to Nginx as one set (C7).

use std::error::Error;

use time::OffsetDateTime;

use crate::{FaultKind, FileError, Secret};

/// What can go wrong with a TLS credential. Nothing of a private key is in it.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum TlsError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// An entry that no certificate can have.
    #[error("{entry:?} cannot be in a certificate: {why}")]
    Name { entry: String, why: &'static str },
    /// No entry at all.
    #[error("there is no name and no address for the TLS certificate")]
    NoName,
    /// A validity that cannot be written down.
    #[error("no certificate can be made at the date {0}")]
    Date(OffsetDateTime),
    /// What never fails failed: a defect.
    #[error("{doing}")]
    Making {
        doing: &'static str,
        source: Box<dyn Error + Send + Sync>,
    },
    /// A credential that is stored cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// A key that is brought is encrypted.
    #[error("the private key is encrypted, and its password is not asked for")]
    EncryptedKey,
    /// A file that is brought has no key.
    #[error(
        "the file holds no private key that can be read: neither PKCS#8, nor PKCS#1, nor SEC1, as \
         PEM"
    )]
    NoKey,
    /// A file that is brought has more than one key.
    #[error("the file holds {0} private keys, not one")]
    SeveralKeys(usize),
    /// A key that is brought does not parse, or is of a kind that is not supported.
    #[error("{0}")]
    Key(String),
    /// A file that is brought has no certificate.
    #[error("the {0} file holds no certificate as PEM")]
    NoCertificate(&'static str),
    /// A certificate or key that is brought cannot be used.
    #[error("{0}")]
    Certificate(String),
    /// A key that is brought is not the one of any certificate.
    #[error(
        "the private key does not match the certificate; the files hold: {}",
        subjects.join("; ")
    )]
    OtherKey { subjects: Vec<String> },
    /// A certificate that is brought is not of the chain.
    #[error(
        "the certificate \"{stray}\" does not belong to the chain: \"{last}\" was issued by \
         \"{issuer}\", and no certificate of that subject has signed it"
    )]
    Stray {
        stray: String,
        last: String,
        issuer: String,
    },
}

impl TlsError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Name { .. } | Self::NoName | Self::Date(_) => FaultKind::Config,
            Self::Making { .. } => FaultKind::Internal,
            Self::Unusable(_)
            | Self::EncryptedKey
            | Self::NoKey
            | Self::SeveralKeys(_)
            | Self::Key(_)
            | Self::NoCertificate(_)
            | Self::Certificate(_)
            | Self::OtherKey { .. }
            | Self::Stray { .. } => FaultKind::DataCorrupt,
        }
    }
}

/// Where the set that Nginx has comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TlsSource {
    /// The active credential of the database.
    Database,
    /// Made by this start and saved to the database.
    Generated,
    /// Made by a start and not saved.
    Temporary,
}

impl TlsSource {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Database, Self::Generated, Self::Temporary];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Generated => "generated",
            Self::Temporary => "temporary",
        }
    }
}

/// A private key with its certificate.
#[derive(Clone, Debug)]
pub struct TlsCredential {
    /// PKCS#8 as PEM (RFC 5958, RFC 7468 section 10).
    pub private_key_pem: Secret,
    /// The server's certificate as PEM.
    pub certificate_pem: String,
    /// Its issuers as PEM, leaf's issuer first; for a self-signed certificate the certificate
    /// itself, which is its own trust anchor. `None` where there is no chain.
    pub chain_pem: Option<String>,
}

/// What a certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFacts {
    /// SHA-256 over the DER, as `AB:CD:…`.
    pub sha256_fingerprint: String,
    /// Start of the validity.
    pub not_before: OffsetDateTime,
    /// End of the validity.
    pub not_after: OffsetDateTime,
}

impl CertificateFacts {
    /// Whether `now` is inside the validity, both ends included (RFC 5280, section 4.1.2.5).
    #[must_use]
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && !self.has_ended_at(now)
    }

    /// Whether the validity is over. A certificate that is not valid yet says more about the clock
    /// than about the certificate.
    #[must_use]
    pub fn has_ended_at(&self, now: OffsetDateTime) -> bool {
        self.not_after < now
    }
}

/// What else a certificate says, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateDetails {
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Kind of its public key, like `ECDSA P-256`.
    pub key_kind: String,
    /// DNS names and IP addresses of its subjectAltName.
    pub san: Vec<String>,
}

/// The files of a credential, as an operator brings them.
#[derive(Clone, Debug)]
pub struct CredentialFiles {
    /// A PEM file with one private key: PKCS#8, PKCS#1 or SEC1.
    pub private_key: Secret,
    /// A PEM file with the server's certificate, and perhaps its chain.
    pub certificate: String,
    /// A PEM file with more of the chain.
    pub chain: Option<String>,
}

/// A credential that was put together from files.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The credential: key as PKCS#8, chain in its order.
    pub credential: TlsCredential,
    /// What its certificate says.
    pub facts: CertificateFacts,
    /// Subject and validity of each certificate of the chain.
    pub chain: Vec<(String, CertificateFacts)>,
}

/// Makes and inspects credentials.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait TlsIssuer {
    /// A self-signed credential as the reference's StandardTlsCredentialStrategy makes it, for
    /// these names and IP addresses, valid from one day before `now` for 365 days from `now`.
    ///
    /// # Errors
    /// MUST be [`TlsError::Name`] for a name that cannot be a DNS name or IP address, and
    /// [`TlsError::NoName`] for an empty list.
    fn issue(&self, san: &[String], now: OffsetDateTime) -> Result<TlsCredential, TlsError>;

    /// Reads the certificate and its chain, and checks that the private key is the certificate's
    /// and each certificate signed by the next; the last may have an issuer that is not there.
    ///
    /// # Errors
    /// MUST be [`TlsError::Unusable`] where one of them is not as it has to be encoded, a signature
    /// is wrong, or they do not match.
    fn inspect(&self, credential: &TlsCredential) -> Result<CertificateFacts, TlsError>;

    /// Reads what else a certificate says.
    ///
    /// # Errors
    /// MUST be [`TlsError::Unusable`] where it does not parse.
    fn describe(&self, certificate_pem: &str) -> Result<CertificateDetails, TlsError>;

    /// Puts a credential together: the certificate is the one of the key, the rest becomes its
    /// chain, each certificate issued and signed by the next, whatever their order was. The
    /// server's certificate MUST NOT be in the chain, unless it is self-signed and alone: then it
    /// is its own trust anchor. What the validity says is the caller's to judge.
    ///
    /// # Errors
    /// MUST be of the kind [`FaultKind::DataCorrupt`] for a key that is encrypted, that does not
    /// parse or is of a kind that is not supported, for a certificate that is not the key's, and for
    /// one that does not belong to the chain.
    fn assemble(&self, files: &CredentialFiles) -> Result<Assembled, TlsError>;
}

/// A set that Nginx can start with: its key matches its certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsSet {
    /// Where it comes from; `None` where it was put there by something else.
    pub source: Option<TlsSource>,
    /// What its certificate says.
    pub facts: CertificateFacts,
}

/// What the Nginx directory holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsView {
    /// No key and no certificate.
    Absent,
    /// Files that Nginx could not start with, and why.
    Unusable(String),
    /// A set that Nginx can start with.
    Usable(TlsSet),
}

/// What [`TlsStore::publish`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Published {
    /// The set was right already; nothing was written.
    Unchanged,
    /// The new set is in place and durable.
    Replaced,
}

/// The Nginx TLS directory.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait TlsStore {
    /// Looks; changes nothing. MUST be `Absent` for a missing directory.
    ///
    /// # Errors
    /// Files that cannot be read.
    fn view(&self) -> Result<TlsView, TlsError>;

    /// Gives Nginx this set. At every moment and after every crash a reader MUST see the whole old
    /// set or the whole new one; the key MUST never be readable by others; a set that is right
    /// already MUST NOT be written again. The last three sets are kept. What is written is encoded
    /// anew from what was read: a web server MUST be able to load it.
    ///
    /// # Errors
    /// MUST be [`TlsError::Unusable`] for what [`TlsIssuer::inspect`] refuses, with nothing changed;
    /// else a file that cannot be read or written.
    fn publish(&self, credential: &TlsCredential, source: TlsSource)
    -> Result<Published, TlsError>;

    /// Whether a set could be written now, asked before the first change of a start: rights, and
    /// room for a set, in the directory or the nearest one above it that exists. Changes nothing.
    ///
    /// # Errors
    /// What a publication would fail with.
    fn check_writable(&self) -> Result<(), TlsError>;

    /// The directory, for messages.
    fn directory(&self) -> String;
}
