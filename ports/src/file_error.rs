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
