//! The kinds of failures.

/// What kind of failure it is; the command line gives each kind its exit code.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FaultKind {
    /// Bad arguments.
    Usage,
    /// The database is newer than this binary.
    VersionDowngrade,
    /// A storage that is not supported.
    StorageUnsupported,
    /// State that cannot be right, or that is missing where it stood before.
    DataCorrupt,
    /// Module, daemon or token cannot be reached.
    HsmUnavailable,
    /// The database cannot be opened or is locked.
    DatabaseUnavailable,
    /// A defect of this program.
    Internal,
    /// A read or write failed.
    Io,
    /// Another start holds the lock.
    Busy,
    /// PIN or password missing or wrong, or no permission.
    Denied,
    /// Bad configuration.
    Config,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Usage,
        Self::VersionDowngrade,
        Self::StorageUnsupported,
        Self::DataCorrupt,
        Self::HsmUnavailable,
        Self::DatabaseUnavailable,
        Self::Internal,
        Self::Io,
        Self::Busy,
        Self::Denied,
        Self::Config,
    ];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::VersionDowngrade => "version_downgrade",
            Self::StorageUnsupported => "storage_unsupported",
            Self::DataCorrupt => "data_corrupt",
            Self::HsmUnavailable => "hsm_unavailable",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::Internal => "internal",
            Self::Io => "io",
            Self::Busy => "busy",
            Self::Denied => "denied",
            Self::Config => "config",
        }
    }
}
