//! What only one command reports, beside what every report has.

mod backup;
mod doctor;
mod hsm;
mod keys;
mod tls;

use serde::Serialize;

use super::spelling::Moment;

pub use backup::{
    Answer, BackupContents, BackupCreate, BackupRestore, BackupVerify, CreatedBackup,
    ManifestReport, OpensReport, OpensWith, RecordReport, RestoredBackup, VerifiedBackup,
};
pub use doctor::{CheckReport, Doctor};
pub use hsm::{CheckedToken, HsmCheck};
pub use keys::{
    BackupPasswordReport, CopyReport, DekReport, KekReport, KeysReport, KeysShow, Recover,
    TokenReport,
};
pub use tls::{ActiveReport, CredentialReport, TlsHistory, TlsShow};

/// The part of a report that only one command has: its fields stand beside those of every report.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Own {
    /// Of `recover`.
    Recover(Recover),
    /// Of `keys show`.
    KeysShow(KeysShow),
    /// Of `tls show`.
    TlsShow(Box<TlsShow>),
    /// Of `tls history`.
    TlsHistory(TlsHistory),
    /// Of `backup create`.
    BackupCreate(BackupCreate),
    /// Of `backup verify`.
    BackupVerify(Box<BackupVerify>),
    /// Of `backup restore`.
    BackupRestore(BackupRestore),
    /// Of `doctor`.
    Doctor(Doctor),
    /// Of `hsm check`.
    HsmCheck(HsmCheck),
    /// Of `history`.
    History(History),
    /// Of `config show`.
    ConfigShow(ConfigShow),
}

/// What `history` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    /// The starts that ended and what commands did, newest first; equal starts in a row share one
    /// entry.
    pub history: Vec<HistoryReport>,
}

/// Equal starts in a row, or what a command did. Names are as the program of that time wrote them.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryReport {
    /// What it was: `start`, or the name of what a command did, like `backup_made`.
    pub event: String,
    /// How it ended: the outcome of a start, `done` for anything else.
    pub result: String,
    /// To what it was done: a KEK, a fingerprint, a file; null for starts. For people.
    pub detail: Option<String>,
    /// When it was done, or the first of the starts ended: RFC 3339, UTC.
    pub first_at: Moment,
    /// When it was done, or the last of the starts ended: RFC 3339, UTC.
    pub last_at: Moment,
    /// The version of the program.
    pub version: String,
    /// The container's host name.
    pub container_id: String,
    /// The name of the node; null where it was written before that was recorded.
    pub node: Option<String>,
    /// The number of the user that ran it; null where it was written before that was recorded.
    pub user_id: Option<u32>,
    /// How many starts; null for anything else.
    pub starts: Option<u64>,
    /// What the first table selected, as in the report of `startup`; null for anything but starts.
    pub startup_scenario: Option<String>,
    /// What the second table selected, as in the report of `startup`; null where it was not asked,
    /// and for anything but starts.
    pub restore_scenario: Option<String>,
    /// How the starts ended, as in the report of `startup`; null for anything else.
    pub outcome: Option<String>,
    /// The names of the steps that changed something; null for anything but starts.
    pub changes: Option<Vec<String>>,
}

/// What `config show` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigShow {
    /// The merged configuration, one entry for each key; no secret is in it.
    pub settings: Vec<SettingReport>,
}

/// One setting.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettingReport {
    /// The key, as the TOML file has it: `database.path`.
    pub key: &'static str,
    /// Its value as text: items of a list with a space between them, a length of time like `30s`;
    /// empty where it is not set.
    pub value: String,
    /// Where the value comes from: a flag, a variable, the file with its path, or the default.
    pub origin: String,
}
