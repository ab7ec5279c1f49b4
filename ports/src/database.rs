//! The node's database. Nothing here belongs to SQLite.

use domain::{InstallationId, KekId, SchemaState, StorageType};
use time::OffsetDateTime;

use crate::{CertificateFacts, Dek, Fault, Secret, TlsCredential};

/// The DEK wrapped by the KEK, in the blob format that names itself (C16).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedDek(pub Vec<u8>);

/// The DEK wrapped by a key derived from the backup password, with salt and parameters (C17).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupWrappedDek(pub Vec<u8>);

/// What stands where the database should.
#[derive(Clone, Debug)]
pub enum DatabaseState {
    /// No file, an empty one, or one in which no first migration was ever finished.
    NotInitialised,
    /// A database of this project.
    Initialised(Box<NodeRecord>),
}

/// What the database says of the node.
#[derive(Clone, Debug)]
pub struct NodeRecord {
    /// Applied migrations against the embedded ones. Where this is `Newer` or `Diverged`, all
    /// below but `version` may be left out.
    pub schema: SchemaState,
    /// The recorded version as it is written, which may not parse.
    pub version: Option<String>,
    /// The container that ran the last finished start.
    pub container_id: Option<String>,
    /// The id that ties the token to this database.
    pub installation: Option<InstallationId>,
    /// When setup was completed (C9).
    pub setup_completed_at: Option<OffsetDateTime>,
    /// The storage.
    pub storage: Option<StorageType>,
    /// The token.
    pub token: Option<TokenRecord>,
}

/// What the database knows of the token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRecord {
    /// Label.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// The module it was reached through, for people.
    pub module_path: String,
    /// CKA_ID of our KEK.
    pub kek: Option<KekId>,
    /// A KEK that is being made: its id is stored before the token generates it. Where it is
    /// `kek` already, a rotation is not finished yet.
    pub pending_kek: Option<KekId>,
    /// KEKs that wrapped the DEK before and may still stand on the token, oldest first.
    pub retired_keks: Vec<KekId>,
    /// The DEK wrapped by the KEK.
    pub encrypted_dek: Option<WrappedDek>,
    /// The DEK wrapped by the backup password.
    pub backup_encrypted_dek: Option<BackupWrappedDek>,
    /// Since when that backup password is set, where it is known.
    pub backup_password_set_at: Option<OffsetDateTime>,
    /// Check value of the DEK: tells whether a cached DEK is the right one, and nothing about it.
    pub dek_check_value: Option<Vec<u8>>,
}

/// What [`Database::migrate`] did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Migrated {
    /// Nothing was pending.
    Unchanged,
    /// These were applied, by name.
    Applied(Vec<String>),
}

/// The private key of a stored credential.
#[derive(Clone, Debug)]
pub enum CredentialKey {
    /// PKCS#8 as PEM.
    Readable(Secret),
    /// Sealed, and no DEK was given.
    Sealed,
}

/// The active TLS server credential.
#[derive(Clone, Debug)]
pub struct ActiveCredential {
    /// The fingerprint it is stored under.
    pub sha256_fingerprint: String,
    /// The server's certificate as PEM.
    pub certificate_pem: String,
    /// Its chain as PEM.
    pub chain_pem: Option<String>,
    /// Its key.
    pub key: CredentialKey,
}

/// A copy of the database, made before an upgrade or a restore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Where it stands.
    pub path: String,
    /// The version that the copied database had recorded; `None` where it cannot be told.
    pub version: Option<String>,
}

/// A snapshot that was made now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MadeSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Where the old ones stood that were removed for it.
    pub removed: Vec<String>,
}

/// What a finished start leaves in the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StartRecord {
    /// The application's version, recorded as the database's.
    pub version: String,
    /// The host name.
    pub container_id: String,
    /// When the start ended.
    pub at: OffsetDateTime,
    /// Name of the start-up scenario.
    pub startup_scenario: String,
    /// Name of the restore scenario.
    pub restore_scenario: Option<String>,
    /// Name of the outcome.
    pub outcome: String,
    /// The steps that changed something, comma-separated.
    pub changes: String,
}

/// A row of the history. Equal starts in a row share one, so that a node that restarts for ever
/// does not grow its database (C10).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryRow {
    /// When the first of them ended.
    pub first_at: OffsetDateTime,
    /// When the last of them ended.
    pub last_at: OffsetDateTime,
    /// How many there were.
    pub starts: u64,
    /// Version.
    pub version: String,
    /// Container.
    pub container_id: String,
    /// Start-up scenario.
    pub startup_scenario: String,
    /// Restore scenario.
    pub restore_scenario: Option<String>,
    /// Outcome.
    pub outcome: String,
    /// The steps that changed something.
    pub changes: String,
}

/// The database.
///
/// Errors of every method: [`crate::FaultKind::DatabaseUnavailable`] where it cannot be opened or
/// is locked, [`crate::FaultKind::DataCorrupt`] where it is no database, another application's, or
/// damaged, [`crate::FaultKind::Io`] for a full disk or a failed write,
/// [`crate::FaultKind::Denied`] without permission. None of these may look like "not initialised"
/// (C4). A method that fails leaves the database as it was.
pub trait Database {
    /// Looks; changes nothing, and creates nothing. An adapter that may write may finish the
    /// recovery of what a dead writer left, which changes nothing that was committed. MUST be `NotInitialised` for a missing or an
    /// empty file and for nothing else but a first migration that never finished.
    ///
    /// # Errors
    /// See [`Database`].
    fn observe(&self) -> Result<DatabaseState, Fault>;

    /// Whether a start could write here, asked before its first change: rights, and room for the
    /// record of a start, or for a whole database where there is none; and, for who is to write
    /// it, that no other process is in the way. Changes nothing, and creates nothing.
    ///
    /// # Errors
    /// See [`Database`]; MUST be [`crate::FaultKind::Io`] for a full or read-only file system.
    fn check_writable(&self) -> Result<(), Fault>;

    /// Whether [`Database::snapshot`] would have the right and the room, asked before the first
    /// change of an upgrade. Changes nothing, and creates nothing.
    ///
    /// # Errors
    /// As [`Database::check_writable`] has it.
    fn check_snapshot(&self) -> Result<(), Fault>;

    /// Checks the whole of the database, which [`Database::observe`] does up to a size alone;
    /// changes nothing. Nothing there is nothing wrong.
    ///
    /// # Errors
    /// See [`Database`].
    fn check_integrity(&self) -> Result<(), Fault>;

    /// Applies every pending migration in one transaction; creates the database where there is
    /// none, with a new installation id. A database that is made MUST appear whole or not at all.
    ///
    /// # Errors
    /// See [`Database`].
    fn migrate(&self) -> Result<Migrated, Fault>;

    /// Makes a consistent copy, verifies it, keeps the last five of those. `None` where the newest
    /// snapshot is of this very state already (a start that is repeated).
    ///
    /// # Errors
    /// See [`Database`].
    fn snapshot(&self, now: OffsetDateTime) -> Result<Option<MadeSnapshot>, Fault>;

    /// The snapshots, newest first; MUST be empty for a missing directory.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn snapshots(&self) -> Result<Vec<Snapshot>, Fault>;

    /// Configures `storage` where none is configured; `false` where one is.
    ///
    /// # Errors
    /// See [`Database`].
    fn configure_storage(&self, storage: StorageType) -> Result<bool, Fault>;

    /// Changes the storage configuration, for `setup`.
    ///
    /// # Errors
    /// See [`Database`].
    fn change_storage(&self, storage: StorageType) -> Result<(), Fault>;

    /// Stores what is known of the token, in one transaction, in place of what was known.
    ///
    /// # Errors
    /// See [`Database`].
    fn save_token(&self, token: &TokenRecord) -> Result<(), Fault>;

    /// The active TLS credential; MUST be `None` where there is none. Its key is `Sealed` where it
    /// is sealed and `dek` is `None`.
    ///
    /// # Errors
    /// See [`Database`]; MUST be [`crate::FaultKind::DataCorrupt`] where the key does not open
    /// under `dek`.
    fn active_credential(&self, dek: Option<&Dek>) -> Result<Option<ActiveCredential>, Fault>;

    /// Saves a credential and makes it the active one, in one transaction; the one before stays.
    /// The key is sealed under `dek` where one is given, bound to its row. A credential that is
    /// stored already (same fingerprint) is activated, and sealed where it was not.
    ///
    /// # Errors
    /// See [`Database`].
    fn save_active_credential(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault>;

    /// Seals every private key that still stands in the clear, in one transaction, and leaves none
    /// of the clear bytes in the file. Returns how many.
    ///
    /// # Errors
    /// See [`Database`].
    fn seal_credentials(&self, dek: &Dek) -> Result<usize, Fault>;

    /// Remembers that setup was completed (C9); `false` where it was remembered already.
    ///
    /// # Errors
    /// See [`Database`].
    fn mark_setup_completed(&self, now: OffsetDateTime) -> Result<bool, Fault>;

    /// Forgets that setup was completed; `false` where nothing was remembered.
    ///
    /// # Errors
    /// See [`Database`].
    fn clear_setup_mark(&self) -> Result<bool, Fault>;

    /// Records container id, history row and version in one transaction (C5).
    ///
    /// # Errors
    /// See [`Database`].
    fn record_start(&self, start: &StartRecord) -> Result<(), Fault>;

    /// The history, newest first, at most `limit` rows; MUST be empty for a database that is not
    /// initialised.
    ///
    /// # Errors
    /// See [`Database`].
    fn history(&self, limit: usize) -> Result<Vec<HistoryRow>, Fault>;
}
