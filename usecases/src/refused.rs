//! Why a use case refuses: what it found and will not go on with. Nothing was changed.

use std::error::Error;
use std::fmt;

use domain::{Contradiction, VersionError};
use ports::{Fault, FaultKind};

/// A refusal of a use case. What to do next is the caller's to say.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no database.
    #[error("there is no database {database} yet")]
    NoDatabase {
        /// Where it was looked for.
        database: String,
    },
    /// The database is missing on a node that was set up (C14).
    #[error("the database {database} is missing, but this node was set up before: {evidence}")]
    LostDatabase {
        /// Where it was looked for.
        database: String,
        /// The traces of the node that was set up.
        evidence: String,
    },
    /// A start would be a downgrade (C2).
    #[error(
        "the database {database} is of version {version}{why}; this program is of version {program}"
    )]
    Downgrade {
        /// The database.
        database: String,
        /// Its version, or "unknown".
        version: String,
        /// What its schema says, as the end of that sentence.
        why: &'static str,
        /// The version of this program.
        program: String,
        /// Snapshots that this program can serve.
        snapshots: Vec<String>,
    },
    /// The database is newer by its schema.
    #[error("the database {database} is newer than this program")]
    NewerSchema {
        /// The database.
        database: String,
    },
    /// The database is newer by its record.
    #[error(
        "the database {database} is of version {recorded}; this program is of version {program}"
    )]
    NewerRecord {
        /// The database.
        database: String,
        /// What it records.
        recorded: String,
        /// The version of this program.
        program: String,
    },
    /// The database has to be migrated first.
    #[error("the database {database} is of an older version")]
    OlderSchema {
        /// The database.
        database: String,
    },
    /// The recorded version does not parse.
    #[error("the version recorded in {database} cannot be read: {error}")]
    WrongVersion {
        /// The database.
        database: String,
        /// What is wrong with it.
        error: VersionError,
    },
    /// The database says two things that exclude each other.
    #[error("{database} contradicts itself: {found}")]
    Contradiction {
        /// The database.
        database: String,
        /// Both things.
        found: Contradiction,
        /// Whether a backup password can bring the DEK back.
        by_password: bool,
    },
    /// The node has a storage that this program cannot use.
    #[error("{}", domain::Refusal::PhysicalHsm)]
    PhysicalHsm,
    /// Setup was asked for a storage that this program cannot use.
    #[error("{}", domain::Refusal::PhysicalHsm)]
    PhysicalHsmAtSetup,
    /// The node has lost its storage configuration.
    #[error("{}: {database} names no storage", domain::Refusal::NoStorage)]
    NoStorage {
        /// The database.
        database: String,
    },
    /// The node has no SoftHSM storage, and its keys were asked for.
    #[error(
        "this node has no SoftHSM storage (it has {storage}): it has no KEK, no DEK and no backup \
         password"
    )]
    NoKeys {
        /// The storage that it has.
        storage: &'static str,
    },
    /// The node has no SoftHSM storage, and was to be recovered.
    #[error("this node has no SoftHSM storage (it has {storage})")]
    NothingWrapped {
        /// The storage that it has.
        storage: &'static str,
    },
    /// The node is set up, and was to be set up.
    #[error("this node is set up already (the wizard state is {state})")]
    SetUpAlready {
        /// What the state directory says.
        state: &'static str,
    },
    /// The node is not set up.
    #[error("this node is not set up (the wizard state is {state})")]
    NotSetUp {
        /// What the state directory says.
        state: &'static str,
    },
    /// The node does not wait to be recovered.
    #[error("this node does not wait for its backup password: the wizard state is {state}")]
    NotWaiting {
        /// What the state directory says.
        state: &'static str,
    },
    /// Software storage was asked for on a node that has sealed secrets.
    #[error("secrets in {database} are sealed under a DEK; software storage could not read them")]
    SealedSecrets {
        /// The database.
        database: String,
    },
    /// A backup password that is too short.
    #[error("the backup password has fewer than {at_least} characters")]
    ShortPassword {
        /// How many it must have.
        at_least: usize,
    },
    /// No backup password is set.
    #[error("no backup password is set")]
    PasswordNotSet,
    /// No backup password is set, and it was to bring the DEK back.
    #[error("{database} holds no DEK under a backup password: no password can help")]
    NoPassword {
        /// The database.
        database: String,
        /// What can help.
        way_back: Option<String>,
    },
    /// What the backup password should open cannot be a DEK.
    #[error("no backup password can bring the DEK back: {source}")]
    DamagedPasswordBlob {
        /// What is wrong with it.
        source: Box<Fault>,
    },
    /// The backup password opens another DEK.
    #[error("the backup password unwraps a DEK, but not the one that seals {database}")]
    OtherDek {
        /// The database.
        database: String,
    },
    /// Nothing says which DEK is in use.
    #[error("{database} does not say which DEK is in use: nothing can be proven")]
    UnknownDek {
        /// The database.
        database: String,
    },
    /// Neither the token nor the cache has the DEK.
    #[error(
        "the DEK is out of reach: the KEK that wraps it is not on the token {label:?}, and no DEK \
         of this database is cached"
    )]
    LostDek {
        /// The label of the token.
        label: String,
        /// What brings it back.
        way_back: String,
    },
    /// A private key would have to be sealed or opened without the DEK.
    #[error("the DEK is out of reach, so a private key can be neither sealed nor opened")]
    DekOutOfReach,
    /// What the KEK should open is damaged, and the cache alone has the DEK.
    #[error(transparent)]
    CacheAlone(Box<CacheAlone>),
    /// A new DEK would take the place of one that can still be had.
    #[error(
        "the KEK that wraps this node's DEK is not on the token, and the DEK may still be had \
         ({how}): a new one would take its place"
    )]
    DekReplaced {
        /// How it may be had.
        how: String,
        /// What brings it back.
        way_back: String,
    },
    /// The cache may hold the last copy of a DEK.
    #[error(
        "{cache} may hold the last copy of the DEK that seals {database}: no backup password opens \
         it, and {kek}"
    )]
    LastCopy {
        /// The cached DEK.
        cache: String,
        /// The database.
        database: String,
        /// What is known of the KEK.
        kek: String,
        /// What brings it back.
        way_back: String,
        /// Why the token could not be asked.
        source: Option<Box<Fault>>,
    },
    /// The token is another installation's (C23).
    #[error(
        "the token {label:?} (serial {serial}) belongs to another installation ({theirs}); \
         {database} is of installation {ours}"
    )]
    ForeignToken {
        /// Its label.
        label: String,
        /// Its serial number.
        serial: String,
        /// The installation that it belongs to.
        theirs: String,
        /// The database.
        database: String,
        /// The installation of the database.
        ours: String,
    },
    /// There is no token and no place for one.
    #[error(
        "no token is named {label:?} and no slot is free for one; initialised tokens: {others}"
    )]
    NoFreeSlot {
        /// The label that was looked for.
        label: String,
        /// The tokens that are there.
        others: String,
    },
    /// The database knows of no token.
    #[error("{database} knows of no token")]
    NoToken {
        /// The database.
        database: String,
    },
    /// The database has no installation id.
    #[error("{database} has no installation id")]
    NoInstallation {
        /// The database.
        database: String,
    },
    /// A new KEK does not give the DEK again.
    #[error("the new KEK does not unwrap what was committed; the old KEK was not touched")]
    NewKekFails {
        /// Why, where the token said so.
        source: Option<Box<Fault>>,
    },
    /// A directory in which every user may replace files.
    #[error("every user may replace files in the directory {directory} (its mode is {mode:04o})")]
    OpenDirectory {
        /// The directory.
        directory: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A stored TLS credential that cannot be used.
    #[error("the TLS server credential {which} in {database} cannot be used: {why}")]
    UnusableCredential {
        /// Its fingerprint, or "that is active".
        which: String,
        /// The database.
        database: String,
        /// What is wrong with it.
        why: String,
        /// Why, where a port said so.
        source: Option<Box<Fault>>,
    },
    /// A certificate that is not valid now.
    #[error("{what} {how}")]
    NotValidNow {
        /// Which, like "the certificate".
        what: String,
        /// Like "expired at …".
        how: String,
    },
    /// Files that make no credential.
    #[error("{from} cannot be imported: {source}")]
    NotImported {
        /// The files.
        from: String,
        /// What is wrong with them.
        source: Box<Fault>,
    },
    /// A fingerprint that no stored certificate has.
    #[error("no stored certificate has the fingerprint {given}")]
    UnknownFingerprint {
        /// What was given.
        given: String,
    },
    /// A fingerprint that several stored certificates have.
    #[error("more than one stored certificate has a fingerprint that begins {given}")]
    AmbiguousFingerprint {
        /// What was given.
        given: String,
    },
    /// A backup whose recorded version does not parse.
    #[error("the version recorded in the backup {backup} cannot be read")]
    WrongBackupVersion {
        /// The backup.
        backup: String,
        /// What is wrong with it.
        source: VersionError,
    },
    /// A backup of a newer program.
    #[error("the backup {backup} is of version {version}; this program is of version {program}")]
    NewerBackup {
        /// The backup.
        backup: String,
        /// Its version.
        version: String,
        /// The version of this program.
        program: String,
    },
    /// A backup of another node.
    #[error(
        "the backup {backup} is of installation {theirs}; this node is set up as installation \
         {ours} ({database})"
    )]
    OtherInstallation {
        /// The backup.
        backup: String,
        /// Its installation.
        theirs: String,
        /// The installation of this node.
        ours: String,
        /// The database.
        database: String,
    },
    /// A backup that the password does not open.
    #[error("the backup {backup} is whole, but: {source}")]
    BackupPassword {
        /// The backup.
        backup: String,
        /// What is wrong.
        source: Box<Fault>,
    },
    /// A defect of this program.
    #[error("{what}")]
    Defect {
        /// What cannot be.
        what: &'static str,
    },
}

/// What the KEK should open is damaged, and the cache alone has the DEK.
#[derive(Debug)]
pub struct CacheAlone {
    /// The damage.
    pub damage: Fault,
    /// What brings the DEK back.
    pub way_back: String,
}

impl CacheAlone {
    /// A damage, and what brings the DEK back all the same.
    #[must_use]
    pub fn refused(damage: Fault, way_back: String) -> Refused {
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

impl Refused {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Downgrade { .. }
            | Self::NewerSchema { .. }
            | Self::NewerRecord { .. }
            | Self::NewerBackup { .. } => FaultKind::VersionDowngrade,
            Self::PhysicalHsm | Self::PhysicalHsmAtSetup => FaultKind::StorageUnsupported,
            Self::LostDatabase { .. }
            | Self::WrongVersion { .. }
            | Self::Contradiction { .. }
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
            | Self::NoToken { .. }
            | Self::OpenDirectory { .. } => FaultKind::Config,
            Self::ShortPassword { .. }
            | Self::UnknownFingerprint { .. }
            | Self::AmbiguousFingerprint { .. } => FaultKind::Usage,
            Self::NewKekFails { .. } => FaultKind::HsmUnavailable,
            Self::NotImported { source, .. }
            | Self::BackupPassword { source, .. }
            | Self::DamagedPasswordBlob { source } => source.kind(),
            Self::CacheAlone(found) => found.damage.kind(),
            Self::Defect { .. } => FaultKind::Internal,
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let hint = crate::hints::refused(&refused);
        Self::of(refused.kind(), hint, refused)
    }
}
