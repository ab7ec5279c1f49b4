//! Copies of the database: snapshots before a change, and backups that are made of a live one,
//! checked, and put in its place.

use std::io::{Read, Write};

use domain::{InstallationId, KekId, StorageType};
use time::OffsetDateTime;

use crate::{BackupError, NodeRecord};

/// What whoever makes a backup knows beside the database.
#[derive(Clone, Debug)]
pub struct BackupOrigin {
    /// Version of the application that makes it.
    pub application_version: String,
    /// Whether the node is set up, by its wizard state or its database. A restored node must not
    /// offer an open setup page because the mark was still to be set (C9).
    pub setup_completed: bool,
    /// When it is made.
    pub at: OffsetDateTime,
}

/// What a backup says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupManifest {
    /// Version of the manifest's format.
    pub format: u32,
    /// Version of the application that made it.
    pub application_version: String,
    /// The newest migration of its database.
    pub schema: String,
    /// SHA-256 over the whole backup, in hexadecimal.
    pub sha256: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The installation it is of.
    pub installation: Option<InstallationId>,
    /// The storage.
    pub storage: Option<StorageType>,
    /// CKA_IDs of the KEKs that wrap the DEK, one for each token: the one that wrapped it last is
    /// the first. A backup of a version that knew one token names one.
    pub keks: Vec<KekId>,
    /// Check value of the DEK.
    pub dek_check_value: Option<Vec<u8>>,
    /// Whether a backup password can unwrap the DEK.
    pub backup_password_set: bool,
    /// Whether the node was set up.
    pub setup_completed: bool,
}

/// A backup that is whole.
#[derive(Clone, Debug)]
pub struct Backup {
    /// What it says of itself; `None` for a snapshot, which says nothing.
    pub manifest: Option<BackupManifest>,
    /// The newest migration of its database.
    pub schema: String,
    /// What its database says of the node. Its schema is never newer than this program's.
    pub record: NodeRecord,
}

/// Where a backup goes.
pub enum BackupTarget<'a> {
    /// A file that MUST NOT be there yet.
    New(&'a str),
    /// A file, in the place of one that may be there.
    Replace(&'a str),
    /// A stream; nothing is left of it in a file.
    Stream(&'a mut dyn Write),
}

/// Where a backup comes from.
pub enum BackupSource<'a> {
    /// A file.
    File(&'a str),
    /// A stream; nothing is left of it in a file.
    Stream(&'a mut dyn Read),
}

/// A copy of the database, made before an upgrade or a restore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Where it stands.
    pub path: String,
    /// The version that the copied database had recorded; `None` where it cannot be told.
    pub version: Option<String>,
}

/// What a snapshot is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// To go back where an upgrade was no good: the last five of those are kept.
    BeforeUpgrade,
    /// A new DEK takes the place of one that nothing opens here: it may hold the only copy of that
    /// one, and MUST NOT be removed with old ones.
    KeepsKey,
}

/// A snapshot of the database as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MadeSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Whether it was made now: the newest of its purpose may be of this very state already, where
    /// a command is repeated.
    pub is_new: bool,
    /// Where the old ones stood that were removed for it.
    pub removed: Vec<String>,
}

/// Snapshots and backups. Errors of the database are [`BackupError::Store`]; a failed operation on
/// another file is [`BackupError::File`].
pub trait Backups {
    /// Whether [`Backups::snapshot`] would have the right and the space, asked before the first
    /// change of an upgrade. Changes nothing, and creates nothing.
    ///
    /// # Errors
    /// See [`Backups`]; MUST be [`crate::FaultKind::Io`] for a full or read-only file system.
    fn check_snapshot(&self) -> Result<(), BackupError>;

    /// Makes a consistent copy and verifies it, where the newest snapshot for this purpose is not of
    /// this very state already.
    ///
    /// # Errors
    /// See [`Backups`].
    fn snapshot(&self, purpose: Purpose, now: OffsetDateTime) -> Result<MadeSnapshot, BackupError>;

    /// The snapshots, newest first; MUST be empty for a missing directory.
    ///
    /// # Errors
    /// See [`Backups`].
    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError>;

    /// Writes a consistent copy of the live database with its manifest, whole or not at all,
    /// readable by its owner alone from the first byte on, and reads it back. The database is not
    /// changed.
    ///
    /// # Errors
    /// See [`Backups`]; MUST be [`BackupError::NoDatabase`] where there is no database yet,
    /// [`crate::StoreError::SchemaUnknown`] for one with an unknown schema,
    /// [`BackupError::Exists`] where something stands at a [`BackupTarget::New`], and
    /// [`BackupError::OwnFile`] for the node's own files.
    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError>;

    /// Reads a backup and makes sure that it is whole; changes nothing.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::DataCorrupt`] for a file that is cut, altered, or no backup or
    /// snapshot of this project, [`crate::FaultKind::VersionDowngrade`] for a newer schema or
    /// format.
    fn verify(&self, source: BackupSource<'_>) -> Result<Backup, BackupError>;

    /// Makes ready to put a backup in the database's place; nothing is replaced yet. What is put
    /// in place later is what was read and found whole here. The start lock is needed for what
    /// comes after.
    ///
    /// # Errors
    /// As [`Backups::verify`] and [`Backups`] have them.
    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError>;
}

/// A backup that is ready to be put in place; dropped, it leaves all as it was.
pub trait StagedBackup {
    /// What the backup holds.
    fn backup(&self) -> &Backup;

    /// Whether the database is exactly this already.
    ///
    /// # Errors
    /// See [`Backups`].
    fn is_in_place(&self) -> Result<bool, BackupError>;

    /// Keeps the present database, where there is one: as it is where it cannot be read. Returns
    /// where it stands; it MUST NOT be removed with old snapshots, since it may hold the only copy
    /// of a key. No other process can write to the database from now on.
    ///
    /// # Errors
    /// See [`Backups`].
    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, BackupError>;

    /// Replaces the database in one step: after a crash at any point there is the whole old one or
    /// the whole new one. Needs [`StagedBackup::keep_replaced`].
    ///
    /// # Errors
    /// See [`Backups`].
    fn put_in_place(self: Box<Self>) -> Result<(), BackupError>;
}
