//! The node's record in its database, and the migrations. Nothing here belongs to SQLite.

use domain::{InstallationId, SchemaState, StorageType};
use time::OffsetDateTime;

use crate::{ActiveCredential, BackupCopy, Event, Sealing, StoreError, TokenCopy};

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
    /// How its secrets are sealed: nothing in it where they are not.
    pub sealing: Sealing,
    /// The active TLS server credential.
    pub active_credential: ActiveCredential,
    /// When the last backup was made, as far as the history goes back.
    pub last_backup_at: Option<OffsetDateTime>,
    /// Whether free parts of its file may still hold what was removed: see [`NodeStore::scrub`].
    pub is_scrub_due: bool,
    /// When each node that shares the database was last seen, as far as the history goes back; none
    /// where the database is one node's alone.
    pub nodes: Vec<NodeSeen>,
}

/// When a node was last seen: its newest start, or what a command did on it since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeSeen {
    /// Name of the node.
    pub node: String,
    /// The version that it ran, as it is written.
    pub version: String,
    /// When that start ended.
    pub at: OffsetDateTime,
}

/// What [`NodeStore::migrate`] did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Migrated {
    /// Nothing was pending.
    Unchanged,
    /// These were applied, by name.
    Applied(Vec<String>),
}

/// The node's record.
///
/// The kind of an error ([`StoreError::kind`]), also of the other ports of the database:
/// [`crate::FaultKind::DatabaseUnavailable`] where it cannot be opened or is locked,
/// [`crate::FaultKind::DataCorrupt`] where it is no database, another application's, or damaged,
/// [`crate::FaultKind::Io`] for a full disk or a failed write, [`crate::FaultKind::Denied`] without
/// permission. None of these may look like "not initialised" (C4). A method that fails leaves the
/// database as it was; each writes in one transaction.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait NodeStore {
    /// Reads all that a start needs, in one transaction; changes nothing, and creates nothing. An
    /// adapter that may write may finish the recovery of what a dead writer left, which changes
    /// nothing that was committed. MUST be `None` for a missing or an empty file and for nothing
    /// else but a first migration that never finished.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn read(&self) -> Result<Option<NodeRecord>, StoreError>;

    /// Whether a start could write here, asked before its first change: rights, and space for the
    /// record of a start, or for a whole database where there is none; and, for who is to write
    /// it, that no other process is in the way. Changes nothing, and creates nothing.
    ///
    /// # Errors
    /// See [`NodeStore`]; MUST be [`crate::FaultKind::Io`] for a full or read-only file system.
    fn check_writable(&self) -> Result<(), StoreError>;

    /// Checks the whole of the database, which [`NodeStore::read`] does up to a size alone;
    /// changes nothing. Nothing there is nothing wrong.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn check_integrity(&self) -> Result<(), StoreError>;

    /// Applies every pending migration in one transaction; creates the database where there is
    /// none, with a new installation id. A database that is made MUST appear whole or not at all.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn migrate(&self) -> Result<Migrated, StoreError>;

    /// Sets the storage where none is configured; `false` where one is, whichever it is.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn configure_storage(&self, storage: StorageType) -> Result<bool, StoreError>;

    /// Sets the storage, for setup; `false` where it is this one already.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn set_storage(&self, storage: StorageType) -> Result<bool, StoreError>;

    /// Stores what is known of one token in place of what was known of the token with that serial
    /// number, the check value of the DEK where one is given, and what that did to the node. MUST
    /// leave every other copy as it is.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn save_copy<'a>(
        &self,
        copy: &'a TokenCopy,
        check_value: Option<&'a [u8]>,
        event: Option<&'a Event>,
    ) -> Result<(), StoreError>;

    /// Stores the first copy of a new DEK. Every copy of a DEK before, under a KEK or under a backup
    /// password, MUST be gone with it: none of them opens what is sealed from now on.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn replace_dek(&self, copy: &TokenCopy, check_value: &[u8]) -> Result<(), StoreError>;

    /// Stores the DEK under a backup password in place of the one before, with the event.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn save_backup_copy(&self, copy: &BackupCopy, event: &Event) -> Result<(), StoreError>;

    /// Removes what is known of the token with this serial number, with the event; `false`, with
    /// neither, where nothing is known of it. MUST leave every other copy as it is. The same
    /// transaction MUST note that a scrub is due: the wrapped DEK may be left in free parts of a
    /// file until [`NodeStore::scrub`].
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn forget_copy(&self, serial: &str, event: &Event) -> Result<bool, StoreError>;

    /// Takes out of the file what was removed and is to leave no trace, where that is still due
    /// ([`NodeRecord::is_scrub_due`]). It is due for as long as this has not worked.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn scrub(&self) -> Result<(), StoreError>;

    /// Remembers that setup was completed (C9), with the event; `false`, with neither, where it was
    /// remembered already.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn mark_setup_completed(&self, event: &Event) -> Result<bool, StoreError>;

    /// Forgets that setup was completed, and notes the event; `false`, with neither, where nothing
    /// was remembered.
    ///
    /// # Errors
    /// See [`NodeStore`].
    fn clear_setup_mark(&self, event: &Event) -> Result<bool, StoreError>;
}
