//! Static files and message catalogues.

use std::io;

use crate::{FaultKind, FileError};

/// What can go wrong with static files and message catalogues.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum AssetError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are sources and no root.
    #[error("static files are configured, and no static root to collect them into")]
    NoStaticRoot,
    /// The static root would be collected into itself, or a source would be served.
    #[error("the static root {root} and the source of static files {directory} overlap")]
    Overlap { root: String, directory: String },
    /// A source of static files is no directory.
    #[error("the source of static files {directory} is not a directory")]
    NoSource {
        directory: String,
        source: Option<io::Error>,
    },
    /// A locale directory is no directory.
    #[error("the locale directory {directory} is not a directory")]
    NoLocaleDirectory {
        directory: String,
        source: Option<io::Error>,
    },
    /// A language that no locale directory can have.
    #[error("{0:?} is no language of a locale directory")]
    NoLanguage(String),
    /// A catalogue does not parse.
    #[error("{path}:{line}: {problem}")]
    Catalogue {
        path: String,
        line: usize,
        problem: String,
    },
    /// A catalogue has more text than a `.mo` can hold.
    #[error("{path} is too large for a message catalogue")]
    CatalogueTooLarge { path: String },
}

impl AssetError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::NoStaticRoot
            | Self::Overlap { .. }
            | Self::NoSource { .. }
            | Self::NoLocaleDirectory { .. }
            | Self::NoLanguage(_) => FaultKind::Config,
            Self::Catalogue { .. } | Self::CatalogueTooLarge { .. } => FaultKind::DataCorrupt,
        }
    }
}

/// What was done with a set of files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AssetReport {
    /// Nothing was configured.
    pub nothing_configured: bool,
    /// Files that were written.
    pub written: usize,
    /// Files that were right already.
    pub unchanged: usize,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Static files are collected from the configured source directories into the static root.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait StaticFiles {
    /// What [`StaticFiles::collect`] would fail with, as far as it can be known before the first
    /// change of a start: sources, and the root where a file is to be written. Changes nothing.
    ///
    /// # Errors
    /// As [`StaticFiles::collect`].
    fn check(&self) -> Result<(), AssetError>;

    /// Collects. A file that is right already MUST NOT be written again; of two sources with one
    /// name the first MUST win, with a warning. Each file changes atomically.
    ///
    /// # Errors
    /// MUST be [`AssetError::NoSource`] for a configured source that is no directory.
    fn collect(&self) -> Result<AssetReport, AssetError>;
}

/// Message catalogues: each `.po` becomes its `.mo`, readable by gettext.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait Messages {
    /// What [`Messages::compile`] would fail with, as far as it can be known before the first
    /// change of a start: catalogues, and the directories where a `.mo` is to be written. Changes
    /// nothing.
    ///
    /// # Errors
    /// As [`Messages::compile`].
    fn check(&self) -> Result<(), AssetError>;

    /// Compiles. A `.mo` that is right already MUST NOT be written again.
    ///
    /// # Errors
    /// MUST be [`AssetError::Catalogue`] for a `.po` that does not parse, before any `.mo` is
    /// written, and [`AssetError::NoLocaleDirectory`] for a configured directory that is none.
    fn compile(&self) -> Result<AssetReport, AssetError>;
}
