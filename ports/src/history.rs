//! The history of starts.

use time::OffsetDateTime;

use crate::StoreError;

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

/// The history of starts in the node's database. Errors: see [`crate::NodeStore`].
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait History {
    /// Records container id, history row and version in one transaction (C5).
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn record_start(&self, start: &StartRecord) -> Result<(), StoreError>;

    /// The history, newest first, at most `limit` rows; MUST be empty for a database that is not
    /// initialised.
    ///
    /// # Errors
    /// See [`crate::NodeStore`].
    fn rows(&self, limit: usize) -> Result<Vec<HistoryRow>, StoreError>;
}
