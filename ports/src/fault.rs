//! What can fail: the errors of the ports, in one sum.

use std::error::Error;
use std::fmt;

use crate::{BackupError, CryptoError, FaultKind, FileError, StoreError, hints};

/// A failure of any port. Each port has its own type; none may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Cryptography with a DEK.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What has no type of its own yet.
    #[error(transparent)]
    Other(Box<Untyped>),
}

/// A failure that carries its own kind and hint.
#[derive(Debug)]
pub struct Untyped {
    kind: FaultKind,
    message: String,
    hint: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    is_unanswered: bool,
}

impl Fault {
    /// A failure without an underlying error.
    pub fn new(kind: FaultKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other(Box::new(Untyped {
            kind,
            message: message.into(),
            hint: hint.into(),
            source: None,
            is_unanswered: false,
        }))
    }

    fn untyped(self) -> Box<Untyped> {
        match self {
            Self::Other(untyped) => untyped,
            typed => Box::new(Untyped {
                kind: typed.kind(),
                message: typed.to_string(),
                hint: typed.hint(),
                is_unanswered: typed.is_unanswered(),
                source: Some(Box::new(typed)),
            }),
        }
    }

    /// The same for a call that never came back: whoever would have answered is not asked again.
    #[must_use]
    pub fn unanswered(self) -> Self {
        let mut untyped = self.untyped();
        untyped.is_unanswered = true;
        Self::Other(untyped)
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut untyped = self.untyped();
        untyped.source = Some(source.into());
        Self::Other(untyped)
    }

    /// The same with another hint: whoever has seen more of the node knows better what to do next.
    #[must_use]
    pub fn advise(self, hint: impl Into<String>) -> Self {
        let mut untyped = self.untyped();
        untyped.hint = hint.into();
        Self::Other(untyped)
    }

    /// The same with the place where its cause stands, like `file /etc/…`.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        let mut untyped = self.untyped();
        untyped.message = format!("{} ({place})", untyped.message);
        Self::Other(untyped)
    }

    /// A failed file operation.
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        Self::File(FileError::new(what, error))
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Backup(error) => error.kind(),
            Self::Crypto(error) => error.kind(),
            Self::Other(untyped) => untyped.kind,
        }
    }

    /// Whether a call never came back, and none after it will.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::File(_) | Self::Store(_) | Self::Backup(_) | Self::Crypto(_) => false,
            Self::Other(untyped) => untyped.is_unanswered,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Other(untyped) => untyped.hint.clone(),
            typed => hints::of(typed),
        }
    }

    /// The messages of the underlying errors, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }
}

impl fmt::Display for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Untyped {
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
