//! The history of a node: its starts, and what commands did to it.

use time::OffsetDateTime;

use crate::StoreError;

/// What a finished start leaves in the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StartRecord {
    /// The application's version, recorded as the database's.
    pub version: String,
    /// The host name.
    pub container_id: String,
    /// Name of the node.
    pub node: String,
    /// The user that ran it, as a number.
    pub user_id: u32,
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

/// What a command does to a node, or with its backups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// Setup was completed.
    SetUp,
    /// Setup was begun anew.
    SetupReset,
    /// The backup password brought the DEK back.
    Recovered,
    /// A new KEK wraps the DEK.
    KekRotated,
    /// The wrapped DEK of a token was removed.
    TokenForgotten,
    /// The backup password was set or changed.
    PasswordSet,
    /// A TLS credential was made, and is the active one.
    CertificateMade,
    /// One was brought from outside, and is the active one.
    CertificateImported,
    /// One that was active before is so again.
    CertificateActivated,
    /// A backup was made.
    BackupMade,
    /// A backup was found whole.
    BackupVerified,
    /// A backup took the place of the database.
    BackupRestored,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SetUp,
        Self::SetupReset,
        Self::Recovered,
        Self::KekRotated,
        Self::TokenForgotten,
        Self::PasswordSet,
        Self::CertificateMade,
        Self::CertificateImported,
        Self::CertificateActivated,
        Self::BackupMade,
        Self::BackupVerified,
        Self::BackupRestored,
    ];

    /// The spelling in the database and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::SetupReset => "setup_reset",
            Self::Recovered => "recovered",
            Self::KekRotated => "kek_rotated",
            Self::TokenForgotten => "token_forgotten",
            Self::PasswordSet => "backup_password_set",
            Self::CertificateMade => "certificate_made",
            Self::CertificateImported => "certificate_imported",
            Self::CertificateActivated => "certificate_activated",
            Self::BackupMade => "backup_made",
            Self::BackupVerified => "backup_verified",
            Self::BackupRestored => "backup_restored",
        }
    }
}

/// What a command leaves in the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When.
    pub at: OffsetDateTime,
    /// The version of the program.
    pub version: String,
    /// The host name.
    pub container_id: String,
    /// Name of the node.
    pub node: String,
    /// The user that ran it, as a number.
    pub user_id: u32,
    /// What was done.
    pub kind: EventKind,
    /// To what: a KEK, a fingerprint, a file.
    pub detail: String,
}

/// A row of the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryRow {
    /// When it was; of several equal starts, when the last of them ended.
    pub at: OffsetDateTime,
    /// Version of the program.
    pub version: String,
    /// Container.
    pub container_id: String,
    /// Name of the node; `None` in rows that were written before it was recorded.
    pub node: Option<String>,
    /// The user that ran it; `None` in rows that were written before it was recorded.
    pub user_id: Option<u32>,
    /// What it was.
    pub entry: HistoryEntry,
}

/// A start, or several equal ones of a node in a row: they share one row, so that a node that
/// restarts for ever does not grow its database (C10).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Starts {
    /// When the first of them ended.
    pub first_at: OffsetDateTime,
    /// How many there were.
    pub count: u64,
    /// Start-up scenario.
    pub startup_scenario: String,
    /// Restore scenario.
    pub restore_scenario: Option<String>,
    /// Outcome.
    pub outcome: String,
    /// The steps that changed something, comma-separated.
    pub changes: String,
}

/// What a row of the history tells of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HistoryEntry {
    /// Equal starts.
    Starts(Starts),
    /// What a command did.
    Event {
        /// [`EventKind::name`].
        name: String,
        /// [`Event::detail`].
        detail: String,
    },
}

/// The history in the node's database. Errors: see [`crate::NodeStore`]. What a command does in the
/// database is noted in the transaction in which it does that, by the methods that take an
/// [`Event`]; what it does elsewhere is noted here. Of the starts of a node, and of each kind of
/// event, 200 rows are kept.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait History {
    /// Records container id, history row and version in one transaction (C5).
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn record_start(&self, start: &StartRecord) -> Result<(), StoreError>;

    /// Notes what was done elsewhere than in the database. MUST be `false`, with nothing changed,
    /// where there is no database, one of another schema, which may have no place for it, or one
    /// beside which a dead writer left something: only a start touches that.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn note(&self, event: &Event) -> Result<bool, StoreError>;

    /// The history, newest first, at most `limit` rows; MUST be empty for a database that is not
    /// initialised.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn rows(&self, limit: usize) -> Result<Vec<HistoryRow>, StoreError>;
}
