//! A file operation that failed.

use std::io::{Error, ErrorKind};

use crate::FaultKind;

/// A file operation that failed: what was being done and to which path, and what the system said.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct FileError {
    /// The operation with its path, like "writing /etc/…".
    pub doing: String,
    /// The system's answer.
    pub source: Error,
}

impl FileError {
    /// `doing` names the operation and the path.
    pub fn new(doing: impl Into<String>, source: Error) -> Self {
        Self {
            doing: doing.into(),
            source,
        }
    }

    /// No permission is [`FaultKind::Denied`], all else [`FaultKind::Io`].
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self.source.kind() {
            ErrorKind::PermissionDenied => FaultKind::Denied,
            _ => FaultKind::Io,
        }
    }
}

/// Turns the `io::Error` of a result into a [`FileError`].
pub trait FileResultExt<T> {
    /// `what` names the operation and the path: "writing /etc/…".
    ///
    /// # Errors
    /// The result's own error.
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, FileError>;
}

impl<T, E: Into<Error>> FileResultExt<T> for Result<T, E> {
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, FileError> {
        self.map_err(|error| FileError::new(what(), error.into()))
    }
}
