//! What can go wrong with a file or a directory.

use std::io::{Error, ErrorKind};

use crate::FaultKind;

/// A file or directory with which something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused an operation.
    #[error("{doing}")]
    Operation {
        /// The operation with its path, like "writing /etc/…".
        doing: String,
        /// The system's answer.
        source: Error,
    },
    /// Something else than a file has its name.
    #[error("{path} cannot be {wanted}: it is no regular file")]
    NoRegularFile {
        /// What stands there.
        path: String,
        /// What was to be done with it, like "read".
        wanted: &'static str,
    },
    /// A file is longer than any of its kind.
    #[error("{path} cannot be read: it is longer than {} KiB", limit >> 10)]
    TooLong {
        /// The file.
        path: String,
        /// Most bytes that it may have.
        limit: u64,
    },
    /// Every user may replace files in a directory.
    #[error(
        "every user may replace files in the directory {directory} (its mode is {:04o})",
        mode & 0o7777
    )]
    OpenToAll {
        /// The directory.
        directory: String,
        /// Its mode.
        mode: u32,
    },
    /// There is not enough space for what has to be written.
    #[error(
        "{directory} cannot be written: its file system is full ({} KiB are free, {} KiB are \
         needed)",
        free >> 10,
        needed >> 10
    )]
    Full {
        /// The directory.
        directory: String,
        /// Bytes that this user can still write.
        free: u64,
        /// Bytes that have to be written.
        needed: u64,
    },
    /// A path without a file name.
    #[error("{path:?} cannot be the path of a file")]
    NoFileName {
        /// The path.
        path: String,
    },
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
