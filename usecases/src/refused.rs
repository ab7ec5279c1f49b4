//! Why a use case refuses: what it found and will not go on with. Nothing was changed before, but for
//! [`Refused::NewKekFails`], and for what a start has done by the time that it finds a credential
//! unusable.

use std::error::Error;
use std::fmt;

use domain::{Contradiction, VersionError};
use ports::{CryptoError, FaultKind, StoreError, TlsError, TokenError, TokenName};

/// An error of a port below a refusal.
pub type Source = Box<dyn Error + Send + Sync>;

/// A refusal of a use case. What to do next is the caller's to say.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what it is, and what its fields are"
)]
pub enum Refused {
    #[error("there is no database {database} yet")]
    NoDatabase { database: String },
    #[error(
        "the database {database} is {}, but this node was set up before: {evidence}",
        if *is_empty { "empty" } else { "missing" }
    )]
    LostDatabase {
        database: String,
        is_empty: bool,
        evidence: String,
    },
    #[error(
        "the database {database} is of version {version}{why}, and this program is of {program}, \
         which is older: the start is refused, and nothing was changed"
    )]
    Downgrade {
        database: String,
        version: String,
        why: &'static str,
        program: String,
        snapshots: Vec<String>,
    },
    #[error("the database {database} is newer than this program")]
    NewerSchema { database: String },
    #[error(
        "the database {database} is of version {recorded}; this program is of version {program}"
    )]
    NewerRecord {
        database: String,
        recorded: String,
        program: String,
    },
    #[error("the database {database} is of an older version")]
    OlderSchema { database: String },
    #[error("the version recorded in {database} cannot be read: {error}")]
    WrongVersion {
        database: String,
        error: VersionError,
    },
    #[error("{database} contradicts itself: {found}")]
    Contradiction {
        database: String,
        found: Contradiction,
        by_password: bool,
    },
    #[error(
        "{} This node is not opted in to one: hsm.physical is false",
        domain::Refusal::PhysicalHsm
    )]
    PhysicalHsm { is_set_up: bool },
    #[error("{}: {database} names no storage", domain::Refusal::NoStorage)]
    NoStorage { database: String },
    #[error(
        "no token is needed on this node (its storage is {storage}): it has no KEK, no DEK and no \
         backup password"
    )]
    NoKeys { storage: &'static str },
    #[error("no token is needed on this node (its storage is {storage})")]
    NothingWrapped { storage: &'static str },
    #[error("this node is set up already (the wizard state is {state})")]
    SetUpAlready {
        state: &'static str,
        is_waiting: bool,
        /// A new container, or a node that is new to its database.
        is_new: bool,
    },
    #[error("this node is not set up (the wizard state is {state})")]
    NotSetUp { state: &'static str },
    #[error("this node does not wait for its backup password: the wizard state is {state}")]
    NotWaiting { state: &'static str },
    #[error("secrets in {database} are sealed under a DEK; software storage could not read them")]
    SealedSecrets { database: String },
    #[error("the backup password has fewer than {at_least} characters")]
    ShortPassword { at_least: usize },
    #[error("no backup password is set")]
    PasswordNotSet,
    #[error("{database} holds no DEK under a backup password: no password can help")]
    NoPassword { database: String, way_back: String },
    #[error("no backup password can bring the DEK back: {source}")]
    DamagedPasswordBlob { source: Box<CryptoError> },
    #[error("the backup password unwraps a DEK, but not the one that seals {database}")]
    OtherDek { database: String },
    #[error("{database} does not say which DEK is in use: nothing can be proven")]
    UnknownDek { database: String },
    #[error(
        "the DEK is out of reach: the KEK that wraps it is not on the token {label:?}, and no DEK \
         of this database is cached"
    )]
    LostDek { label: String, way_back: String },
    #[error("the DEK is out of reach, so a private key can be neither sealed nor opened")]
    DekOutOfReach,
    #[error(transparent)]
    CacheAlone(Box<CacheAlone>),
    #[error(transparent)]
    DamagedDatabase(Box<DamagedDatabase>),
    #[error(
        "the KEK that wraps this node's DEK is not on the token, and the DEK may still be had \
         ({how}): a new one would take its place"
    )]
    DekReplaced { how: String, way_back: String },
    #[error(
        "{cache} may hold the last copy of the DEK that seals {database}: no backup password opens \
         it, and {kek}"
    )]
    LastCopy {
        cache: String,
        database: String,
        kek: String,
        way_back: String,
        source: Option<Source>,
    },
    #[error(
        "the token {label:?} (serial {serial}) belongs to another installation ({theirs}); \
         {database} is of installation {ours}"
    )]
    ForeignToken {
        label: String,
        serial: String,
        theirs: String,
        database: String,
        ours: String,
    },
    #[error(
        "no token is named {label:?} and no slot is free for one; initialised tokens: {others}"
    )]
    NoFreeSlot { label: String, others: String },
    #[error("no token {wanted} is there; {there}")]
    NoInitialisedToken { wanted: String, there: String },
    #[error("the {token} has no user PIN yet, and this program sets none on a physical token")]
    NoUserPin { token: TokenName },
    #[error("{database} knows of no token with the serial number {serial}")]
    NoToken { database: String, serial: String },
    #[error("no copy of the DEK is kept for a token with the serial number {serial}")]
    UnknownToken { serial: String, known: Vec<String> },
    #[error(
        "the token {label:?} (serial {serial}) is the one in use, and nothing proves that there is \
         another way to the DEK"
    )]
    TokenInUse {
        label: String,
        serial: String,
        has_backup_password: bool,
    },
    #[error(
        "the token {label:?} (serial {serial}) may be the last way to the DEK: no other token was \
         seen to open it, and no backup password was proven to"
    )]
    LastWay {
        label: String,
        serial: String,
        has_backup_password: bool,
    },
    #[error(
        "the token is forgotten already: its copy of the DEK is removed from {database}, and free \
         parts of its files alone may still hold it"
    )]
    NotScrubbed {
        database: String,
        source: Box<StoreError>,
    },
    #[error("{database} has no installation id")]
    NoInstallation { database: String },
    #[error("the new KEK does not unwrap what was committed; the old KEK was not touched")]
    NewKekFails { source: Option<Box<TokenError>> },
    #[error("the TLS server credential {which} in {database} cannot be used: {why}")]
    UnusableCredential {
        which: String,
        database: String,
        why: String,
        source: Option<Source>,
    },
    #[error("{what} {how}")]
    NotValidNow { what: String, how: String },
    #[error("{from} cannot be imported: {source}")]
    NotImported { from: String, source: Box<TlsError> },
    #[error("no stored certificate has the fingerprint {given}")]
    UnknownFingerprint { given: String },
    #[error("more than one stored certificate has a fingerprint that begins {given}")]
    AmbiguousFingerprint { given: String },
    #[error("the version recorded in the backup {backup} cannot be read")]
    WrongBackupVersion {
        backup: String,
        source: VersionError,
    },
    #[error("the backup {backup} is of version {version}; this program is of version {program}")]
    NewerBackup {
        backup: String,
        version: String,
        program: String,
    },
    #[error(
        "the backup {backup} is of installation {theirs}; this node is set up as installation \
         {ours} ({database})"
    )]
    OtherInstallation {
        backup: String,
        theirs: String,
        ours: String,
        database: String,
    },
    #[error("the backup {backup} is whole, but: {source}")]
    BackupPassword {
        backup: String,
        source: Box<CryptoError>,
    },
    #[error("{what}")]
    Defect { what: &'static str },
}

/// What the KEK should open is damaged, and the cache alone has the DEK.
#[derive(Debug)]
pub struct CacheAlone {
    /// The damage.
    pub damage: Source,
    /// What brings the DEK back.
    pub way_back: String,
}

impl CacheAlone {
    /// A damage, and what brings the DEK back all the same.
    #[must_use]
    pub fn refused(damage: impl Error + Send + Sync + 'static, way_back: String) -> Refused {
        let damage = Box::new(damage);
        Refused::CacheAlone(Box::new(Self { damage, way_back }))
    }
}

impl fmt::Display for CacheAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.damage.fmt(f)
    }
}

impl Error for CacheAlone {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.damage.source()
    }
}

/// The database cannot be right, and a snapshot could take its place.
#[derive(Debug)]
pub struct DamagedDatabase {
    /// What is wrong with it.
    pub damage: StoreError,
    /// Where the newest snapshot stands that this program can go on with.
    pub snapshot: String,
}

impl fmt::Display for DamagedDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.damage.fmt(f)
    }
}

impl Error for DamagedDatabase {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.damage.source()
    }
}

impl Refused {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Downgrade { .. }
            | Self::NewerSchema { .. }
            | Self::NewerRecord { .. }
            | Self::NewerBackup { .. } => FaultKind::VersionDowngrade,
            Self::PhysicalHsm { .. } => FaultKind::StorageUnsupported,
            Self::LostDatabase { .. }
            | Self::WrongVersion { .. }
            | Self::Contradiction { .. }
            | Self::CacheAlone(_)
            | Self::OtherDek { .. }
            | Self::UnknownDek { .. }
            | Self::NoInstallation { .. }
            | Self::UnusableCredential { .. }
            | Self::NotValidNow { .. }
            | Self::WrongBackupVersion { .. }
            | Self::OtherInstallation { .. } => FaultKind::DataCorrupt,
            Self::NoDatabase { .. }
            | Self::OlderSchema { .. }
            | Self::NoStorage { .. }
            | Self::NoKeys { .. }
            | Self::NothingWrapped { .. }
            | Self::SetUpAlready { .. }
            | Self::NotSetUp { .. }
            | Self::NotWaiting { .. }
            | Self::SealedSecrets { .. }
            | Self::PasswordNotSet
            | Self::NoPassword { .. }
            | Self::LostDek { .. }
            | Self::DekOutOfReach
            | Self::DekReplaced { .. }
            | Self::LastCopy { .. }
            | Self::ForeignToken { .. }
            | Self::NoFreeSlot { .. }
            | Self::NoInitialisedToken { .. }
            | Self::NoToken { .. }
            | Self::TokenInUse { .. }
            | Self::LastWay { .. } => FaultKind::Config,
            Self::ShortPassword { .. }
            | Self::UnknownToken { .. }
            | Self::UnknownFingerprint { .. }
            | Self::AmbiguousFingerprint { .. } => FaultKind::Usage,
            Self::NoUserPin { .. } => FaultKind::Denied,
            Self::NewKekFails { .. } => FaultKind::HsmUnavailable,
            Self::DamagedDatabase(found) => found.damage.kind(),
            Self::NotImported { source, .. } => source.kind(),
            Self::BackupPassword { source, .. } | Self::DamagedPasswordBlob { source } => {
                source.kind()
            }
            Self::NotScrubbed { source, .. } => source.kind(),
            Self::Defect { .. } => FaultKind::Internal,
        }
    }
}
