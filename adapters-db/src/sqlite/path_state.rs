//! What stands at the path, before SQLite is asked: SQLite would take a missing file for a new
//! database, and would wait on a fifo for ever.
//!
//! Nothing is opened here but by [`is_write_ahead`]: whoever closes a second descriptor of the
//! database drops the locks of every connection this process has on it.

use std::fs::{FileType, Metadata};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileTypeExt;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _, StoreError};
use rustix::fs::OFlags;

use crate::sqlite::directory::parent;
use crate::sqlite::file_bytes::{open_file, read_at};
use crate::sqlite::file_header::{self, MAGIC};
use crate::sqlite::identity::Identity;
use crate::sqlite::sql_error::damaged;

/// What the files beside a database are called that hold a part of its pages.
pub(crate) const JOURNALS: [&str; 2] = ["-journal", "-wal"];

/// What the file system shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathState {
    /// No file.
    Missing,
    /// No file, and no directory for it either, which may be made.
    MissingDirectory,
    /// A file of no bytes.
    Empty,
    /// A file to be opened.
    File(FileFacts),
}

/// What decides how the file is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileFacts {
    /// Which file it is, so that one that is replaced under an open connection is noticed.
    pub(crate) identity: Identity,
    /// A journal stands beside it, of a writer that is at work or has died.
    pub(crate) journal: bool,
    /// A write-ahead log stands beside it.
    pub(crate) log: bool,
    /// Its size, with all that stands beside it.
    pub(crate) bytes: u64,
}

impl PathState {
    /// Of this path. A missing directory is an error unless `parents_allowed`.
    pub(crate) fn of(path: &Utf8Path, parents_allowed: bool) -> Result<Self, StoreError> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => {
                let file = resolved(path)?;
                let metadata = std::fs::metadata(&file).or_io(|| looking_at(&file))?;
                Self::of_file(&file, &metadata)
            }
            Ok(metadata) => Self::of_file(path, &metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Self::missing(path, parents_allowed)
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                Err(no_directory(path, Some(error)))
            }
            Err(error) => Err(FileError::new(looking_at(path), error).into()),
        }
    }

    fn of_file(file: &Utf8Path, metadata: &Metadata) -> Result<Self, StoreError> {
        if !metadata.is_file() {
            return Err(StoreError::NoFile {
                path: file.to_string(),
                found: name_of(metadata.file_type()),
            });
        }
        let (journal, log) = (size_beside(file, "-journal")?, size_beside(file, "-wal")?);
        if metadata.len() == 0 {
            return ensure_no_orphan(file, "-wal", log).map(|()| Self::Empty);
        }
        Ok(Self::File(FileFacts {
            identity: Identity::of(metadata),
            journal: journal > 0,
            log: log > 0,
            bytes: metadata.len().saturating_add(journal).saturating_add(log),
        }))
    }

    fn missing(path: &Utf8Path, parents_allowed: bool) -> Result<Self, StoreError> {
        let directory = parent(path);
        match std::fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {
                // SQLite would throw these away with the first open, and they are all that is left.
                for suffix in JOURNALS {
                    ensure_no_orphan(path, suffix, size_beside(path, suffix)?)?;
                }
                Ok(Self::Missing)
            }
            Ok(_) => Err(no_directory(path, None)),
            Err(error) if error.kind() == ErrorKind::NotFound && parents_allowed => {
                Ok(Self::MissingDirectory)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(no_directory(path, Some(error)))
            }
            Err(error) => Err(FileError::new(looking_at(directory), error).into()),
        }
    }
}

/// Whether the header says that the database uses write-ahead logging, with which even a reader
/// makes files beside it. Only where this process has no connection to the file.
pub(crate) fn is_write_ahead(path: &Utf8Path, facts: FileFacts) -> Result<bool, StoreError> {
    let mut header = [0; file_header::LENGTH];
    let length = open_file(path, OFlags::empty())
        .and_then(|file| read_at(&file, &mut header, 0))
        .or_io(|| format!("reading the database {path}"))?;
    let header = header.get(..length).unwrap_or_default();
    if !header.starts_with(MAGIC) {
        // After a power cut in the very first write the header may be missing and the journal
        // knows.
        return if facts.journal {
            Ok(false)
        } else {
            Err(StoreError::NotSqlite {
                path: path.to_string(),
                source: None,
            })
        };
    }
    let (write, read) = file_header::versions(header).unwrap_or_default();
    if !facts.journal && write > 2 {
        return Err(unwritable(path));
    }
    Ok(read == 2)
}

/// Whether SQLite would play the journal back. One whose first byte is zero was never finished, and
/// nothing was written after it (`hasHotJournal` in SQLite's pager.c).
pub(crate) fn is_journal_hot(path: &Utf8Path) -> Result<bool, StoreError> {
    let journal = beside(&resolved(path)?, "-journal");
    let mut first = [0];
    let read = open_file(&journal, OFlags::empty()).and_then(|file| read_at(&file, &mut first, 0));
    match read {
        Ok(_) => Ok(first != [0]),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::new(format!("reading {journal}"), error).into()),
    }
}

/// A write version that SQLite takes for "may be read and never written".
pub(crate) fn unwritable(path: &Utf8Path) -> StoreError {
    damaged(path, "its header says that no program may write it")
}

/// The path of the file itself: SQLite keeps its journal beside the file, not beside a link to it.
pub(crate) fn resolved(path: &Utf8Path) -> Result<Utf8PathBuf, StoreError> {
    match path.canonicalize_utf8() {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::DanglingLink {
            path: path.to_string(),
        }),
        resolved => Ok(resolved.or_io(|| looking_at(path))?),
    }
}

/// The file that SQLite keeps beside the database, such as one of [`JOURNALS`].
pub(crate) fn beside(path: &Utf8Path, suffix: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}{suffix}"))
}

/// Whether the file is there and not empty.
pub(crate) fn has_bytes(path: &Utf8Path) -> Result<bool, FileError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::new(looking_at(path), error)),
    }
}

/// The size of the file that SQLite would open beside the database, 0 where there is none.
fn size_beside(path: &Utf8Path, suffix: &str) -> Result<u64, StoreError> {
    let file = beside(path, suffix);
    match std::fs::symlink_metadata(&file) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(metadata) => Err(StoreError::NoFileBeside {
            file: file.into_string(),
            found: name_of(metadata.file_type()),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(FileError::new(looking_at(&file), error).into()),
    }
}

fn ensure_no_orphan(path: &Utf8Path, suffix: &str, bytes: u64) -> Result<(), StoreError> {
    if bytes == 0 {
        return Ok(());
    }
    Err(StoreError::DatabaseGone {
        path: path.to_string(),
        file: beside(path, suffix).into_string(),
    })
}

fn looking_at(path: &Utf8Path) -> String {
    format!("looking at {path}")
}

fn no_directory(path: &Utf8Path, source: Option<Error>) -> StoreError {
    StoreError::NoDirectory {
        directory: parent(path).to_string(),
        path: path.to_string(),
        source,
    }
}

fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "a socket or a device"
    }
}
