//! Static files and message catalogues.

use crate::Fault;

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
    fn check(&self) -> Result<(), Fault>;

    /// Collects. A file that is right already MUST NOT be written again; of two sources with one
    /// name the first MUST win, with a warning. Each file changes atomically.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::Config`] for a configured source that is no directory; else as
    /// [`Fault::io`] has it.
    fn collect(&self) -> Result<AssetReport, Fault>;
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
    fn check(&self) -> Result<(), Fault>;

    /// Compiles. A `.mo` that is right already MUST NOT be written again.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::DataCorrupt`] with file and line for a `.po` that does not
    /// parse, before any `.mo` is written; [`crate::FaultKind::Config`] for a configured directory
    /// that is none; else as [`Fault::io`] has it.
    fn compile(&self) -> Result<AssetReport, Fault>;
}
