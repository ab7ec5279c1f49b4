//! What can go wrong with a file or a directory.

use std::io::{Error, ErrorKind};

use crate::FaultKind;

/// A file or directory with which something cannot be done.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum FileError {
    /// The system refused an operation.
    #[error("{doing}")]
    Operation { doing: String, source: Error },
    /// Something else than a file has its name.
    #[error("{path} cannot be {wanted}: it is no regular file")]
    NoRegularFile { path: String, wanted: &'static str },
    /// A file is longer than any of its kind.
    #[error("{path} cannot be read: it is longer than {} KiB", limit >> 10)]
    TooLong { path: String, limit: u64 },
    /// Every user may replace files in a directory.
    #[error(
        "every user may replace files in the directory {directory} (its mode is {:04o})",
        mode & 0o7777
    )]
    OpenToAll { directory: String, mode: u32 },
    /// There is not enough space for what has to be written.
    #[error(
        "{directory} cannot be written: its file system is full ({} KiB are free, {} KiB are \
         needed)",
        free >> 10,
        needed >> 10
    )]
    Full {
        directory: String,
        free: u64,
        needed: u64,
    },
    /// A path without a file name.
    #[error("{path:?} cannot be the path of a file")]
    NoFileName { path: String },
}

impl FileError {
    /// A failed operation; `doing` names it and the path.
    pub fn new(doing: impl Into<String>, source: Error) -> Self {
        Self::Operation {
            doing: doing.into(),
            source,
        }
    }

    /// The kind: no permission is [`FaultKind::Denied`].
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Operation { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                FaultKind::Denied
            }
            Self::Operation { .. }
            | Self::NoRegularFile { .. }
            | Self::TooLong { .. }
            | Self::Full { .. } => FaultKind::Io,
            Self::OpenToAll { .. } | Self::NoFileName { .. } => FaultKind::Config,
        }
    }
}

/// Turns the `io::Error` of a result into a [`FileError`].
pub trait ResultExt<T> {
    /// `what` names the operation and the path: "writing /etc/…".
    ///
    /// # Errors
    /// The result's own error.
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, FileError>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn or_io<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, FileError> {
        self.map_err(|error| FileError::new(what(), error.into()))
    }
}
