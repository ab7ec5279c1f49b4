//! The one error type that crosses the ports: what failed and where, why, and what to do next.

use std::error::Error;
use std::fmt;

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

/// A failure: the message names what failed and where, the hint what to do next.
///
/// Neither may hold a secret.
#[derive(Debug)]
pub struct Fault {
    kind: FaultKind,
    message: String,
    hint: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    is_unanswered: bool,
}

impl Fault {
    /// A failure without an underlying error.
    pub fn new(kind: FaultKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.into(),
            source: None,
            is_unanswered: false,
        }
    }

    /// The same for a call that never came back: whoever would have answered is not asked again.
    #[must_use]
    pub fn unanswered(mut self) -> Self {
        self.is_unanswered = true;
        self
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same with another hint: whoever has seen more of the node knows better what to do next.
    #[must_use]
    pub fn advise(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with the place where its cause stands, like `file /etc/…`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{} ({place})", self.message);
        self
    }

    /// A failed file operation. No permission is [`FaultKind::Denied`], all else [`FaultKind::Io`];
    /// the hint follows from the error.
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let (kind, hint) = match error.kind() {
            E::PermissionDenied => (
                FaultKind::Denied,
                "give the user that runs this program the right to it",
            ),
            E::StorageFull | E::QuotaExceeded => (
                FaultKind::Io,
                "free space on that file system, then start again; nothing is lost",
            ),
            E::ReadOnlyFilesystem => (FaultKind::Io, "mount that file system writable"),
            E::NotFound => (
                FaultKind::Io,
                "check that the path exists and its volume is mounted",
            ),
            _ => (
                FaultKind::Io,
                "check the path and the file system it stands on",
            ),
        };
        Self::new(kind, what, hint).because(error)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Whether a call never came back, and none after it will.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.is_unanswered
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The messages of the underlying errors, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// Turns the `io::Error` of a result into a [`Fault`].
pub trait ResultExt<T> {
    /// `what` names the operation and the path: "writing /etc/…".
    ///
    /// # Errors
    /// The result's own error, as [`Fault::io`] gives it.
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Fault>;
}

impl<T> ResultExt<T> for Result<T, std::io::Error> {
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Fault> {
        self.map_err(|error| Fault::io(what(), error))
    }
}
