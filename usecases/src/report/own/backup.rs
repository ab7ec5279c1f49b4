//! What `backup create`, `backup verify` and `backup restore` report.

use domain::StorageType;
use serde::Serialize;

use crate::report::spelling::{Moment, Name, named};

/// What `backup create` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupCreate {
    /// The backup that was made.
    pub backup: CreatedBackup,
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedBackup {
    /// Where it stands, as the argument says; `-` for standard output.
    pub file: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: ManifestReport,
}

/// What `backup verify` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupVerify {
    /// The backup, which is whole.
    pub backup: VerifiedBackup,
}

/// A backup that is whole, and what opens it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifiedBackup {
    /// Where it stands, as the argument says; `-` for standard input.
    pub file: String,
    /// What it holds.
    #[serde(flatten)]
    pub contents: BackupContents,
    /// Whether this node could open what is sealed in it.
    pub opens_with: OpensWith,
}

/// What `backup restore` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupRestore {
    /// The backup that stands in the database's place.
    pub backup: RestoredBackup,
}

/// A backup that was put in place.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RestoredBackup {
    /// Where it came from, as the argument says; `-` for standard input.
    pub file: String,
    /// What it holds.
    #[serde(flatten)]
    pub contents: BackupContents,
}

/// What a backup holds: by its manifest, or where it has none (a snapshot) by its database.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum BackupContents {
    /// By its manifest.
    Manifest(ManifestReport),
    /// By its database.
    Record(RecordReport),
}

/// The manifest of a backup.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ManifestReport {
    /// Version of the manifest's format.
    pub format: u32,
    /// Version of the application that made the backup.
    pub application_version: String,
    /// The newest migration of its database.
    pub schema: String,
    /// SHA-256 over the whole backup: lowercase hexadecimal.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// When it was made: RFC 3339, UTC.
    pub created_at: Moment,
    /// The id of the installation it is of: lowercase hexadecimal; null where it has none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{32}$")))]
    pub installation_id: Option<String>,
    /// The storage that is configured in it; null where none is.
    pub storage: Option<Name<StorageType>>,
    /// CKA_ID of the KEK that wrapped its DEK last: lowercase hexadecimal; null where none does.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub kek_id: Option<String>,
    /// CKA_IDs of all KEKs that wrap its DEK, one for each token: lowercase hexadecimal.
    #[cfg_attr(
        feature = "schema",
        schemars(inner(regex(pattern = "^([0-9a-f]{2})+$")))
    )]
    pub kek_ids: Vec<String>,
    /// Check value of its DEK: lowercase hexadecimal; null where it has none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})*$")))]
    pub dek_check_value: Option<String>,
    /// Whether a backup password can unwrap its DEK.
    pub backup_password_set: bool,
    /// Whether the node was set up when it was made.
    pub setup_completed: bool,
}

/// What the database of a backup without a manifest says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordReport {
    /// Null: it has no manifest.
    pub format: (),
    /// Null: no manifest says it.
    pub sha256: (),
    /// Null: no manifest says it.
    pub created_at: (),
    /// The version that the last finished start recorded in it; null where none did.
    pub application_version: Option<String>,
    /// The newest migration of its database.
    pub schema: String,
    /// The id of the installation it is of: lowercase hexadecimal; null where it has none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{32}$")))]
    pub installation_id: Option<String>,
    /// The storage that is configured in it; null where none is.
    pub storage: Option<Name<StorageType>>,
    /// CKA_ID of the KEK that wrapped its DEK last: lowercase hexadecimal; null where none does.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub kek_id: Option<String>,
    /// CKA_IDs of all KEKs that wrap its DEK, one for each token: lowercase hexadecimal.
    #[cfg_attr(
        feature = "schema",
        schemars(inner(regex(pattern = "^([0-9a-f]{2})+$")))
    )]
    pub kek_ids: Vec<String>,
    /// Check value of its DEK: lowercase hexadecimal; null where it has none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})*$")))]
    pub dek_check_value: Option<String>,
    /// Whether a backup password can unwrap its DEK.
    pub backup_password_set: bool,
    /// Whether the node was set up, as the database remembers it.
    pub setup_completed: bool,
}

/// What opens the sealed secrets of a backup.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpensWith {
    /// The KEK on this node's token.
    pub token: OpensReport,
    /// The backup password.
    pub backup_password: OpensReport,
}

/// Whether something opens them.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpensReport {
    /// The answer: it does, it does not, it could not be asked or was not, or nothing is sealed.
    pub answer: Name<Answer>,
    /// Why not; null where there is nothing to explain. For people.
    pub why: Option<String>,
}

/// Whether something opens the sealed secrets of a backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It could not be asked, or was not.
    Unknown,
    /// Nothing is sealed.
    NothingSealed,
}

impl Answer {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Yes, Self::No, Self::Unknown, Self::NothingSealed];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::NothingSealed => "nothing_sealed",
        }
    }
}

named!(Answer);
