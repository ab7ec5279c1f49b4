//! What can go wrong with a backup.

use crate::{Cause, FaultKind, FileError, StoreError};

/// Something that cannot be done with a backup or a snapshot.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum BackupError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database, or the one in a backup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to back up.
    #[error("there is no database {path} yet")]
    NoDatabase { path: String },
    /// A path without a file name.
    #[error("{file:?} cannot be the path of a backup")]
    NoFileName { file: String },
    /// A name under which the backup would be removed later.
    #[error("{file:?} would be taken for what a killed process has left, and deleted")]
    TakenForLeftover { file: String },
    /// One of the node's own files.
    #[error("{file:?} is one of the node's own files: it is never overwritten by a backup")]
    OwnFile { file: String },
    /// Something stands where a new backup should go.
    #[error("{file} is there already: it is not overwritten")]
    Exists { file: String },
    /// Something else than a file stands where the backup should go.
    #[error("{file} is no regular file: it is not overwritten")]
    NoRegularFile { file: String },
    /// The end of the database could not be found again in the backup.
    #[error("the header of the database {path} does not say how many pages it has")]
    PagesNotCounted { path: String },
    /// The manifest is not what was written.
    #[error("the manifest of the backup does not read back as it was written")]
    ManifestDiffers,
    /// It is no whole backup and no whole snapshot of this project.
    #[error("{why}")]
    Wrong { why: String, source: Option<Cause> },
    /// A newer program has made it.
    #[error("its manifest has the format {format}; this program knows {known}")]
    NewerFormat { format: u32, known: u32 },
    /// A backup that cannot be used.
    #[error(
        "the backup {name} {}: {source}",
        if matches!(source.kind(), FaultKind::DataCorrupt | FaultKind::VersionDowngrade) {
            "is refused"
        } else {
            "cannot be read"
        }
    )]
    Refused {
        name: String,
        source: Box<BackupError>,
    },
    /// Nodes go on with another installation than the backup is of.
    #[error(
        "the database {database} holds the installation {present}, and the backup is of {own}; it is \
         not replaced"
    )]
    OtherInstallation {
        database: String,
        present: String,
        own: String,
    },
    /// Another process would go on with the database that is replaced.
    #[error("another process keeps the database {path} open")]
    KeptOpen { path: String },
    /// What stands at the database's path is not ours to replace.
    #[error("{source}; it is not replaced")]
    NotOurs { source: Box<StoreError> },
}

impl BackupError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::NoDatabase { .. } | Self::NotOurs { .. } | Self::OtherInstallation { .. } => {
                FaultKind::Config
            }
            Self::NoFileName { .. } | Self::TakenForLeftover { .. } | Self::OwnFile { .. } => {
                FaultKind::Usage
            }
            Self::Exists { .. } | Self::NoRegularFile { .. } => FaultKind::Io,
            Self::PagesNotCounted { .. } | Self::ManifestDiffers | Self::Wrong { .. } => {
                FaultKind::DataCorrupt
            }
            Self::NewerFormat { .. } => FaultKind::VersionDowngrade,
            Self::Refused { source, .. } => source.kind(),
            Self::KeptOpen { .. } => FaultKind::DatabaseUnavailable,
        }
    }
}
