//! What stands at the path, before SQLite is asked: SQLite would take a missing file for a new
//! database, and would wait on a fifo for ever.
//!
//! Nothing is opened here but by [`header`]: whoever closes a second descriptor of the database
//! drops the locks of every connection this process has on it.

use std::fs::Metadata;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt};
use rustix::fs::OFlags;

use crate::damage::{damaged, not_sqlite};
use crate::directory::parent;
use crate::file_bytes::open_file;
use crate::file_header::{self, MAGIC};
use crate::identity::Identity;

/// What the file system shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sight {
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

/// Looks. A missing directory is an error unless `parents_allowed`.
pub(crate) fn look(path: &Utf8Path, parents_allowed: bool) -> Result<Sight, Fault> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            let file = resolved(path)?;
            let metadata = std::fs::metadata(&file).or_io(|| looking_at(&file))?;
            sight_of(&file, &metadata)
        }
        Ok(metadata) => sight_of(path, &metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => missing(path, parents_allowed),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(no_directory(path).because(error))
        }
        Err(error) => Err(Fault::io(looking_at(path), error)),
    }
}

fn sight_of(file: &Utf8Path, metadata: &Metadata) -> Result<Sight, Fault> {
    if !metadata.is_file() {
        return Err(unavailable(
            format!(
                "the database {file} is no file but {}",
                kind_of(metadata.file_type())
            ),
            "set the database's path to a file, or move away what stands there",
        ));
    }
    let (journal, log) = (part(file, "-journal")?, part(file, "-wal")?);
    if metadata.len() == 0 {
        return refuse_orphan(file, "-wal", log).map(|()| Sight::Empty);
    }
    Ok(Sight::File(FileFacts {
        identity: Identity::of(metadata),
        journal: journal > 0,
        log: log > 0,
        bytes: metadata.len().saturating_add(journal).saturating_add(log),
    }))
}

/// What only a reader that must change nothing has to know beforehand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// Write-ahead logging: even a reader makes files beside the database.
    pub(crate) wal: bool,
}

/// Reads the first bytes. Only where this process has no connection to the file.
pub(crate) fn header(path: &Utf8Path, facts: FileFacts) -> Result<Header, Fault> {
    let what = || format!("reading the database {path}");
    let mut header = Vec::with_capacity(file_header::LENGTH);
    open_file(path, OFlags::empty())
        .and_then(|file| {
            file.take(file_header::LENGTH as u64)
                .read_to_end(&mut header)
        })
        .or_io(what)?;
    if !header.starts_with(MAGIC) {
        // After a power cut in the very first write the header may be missing and the journal
        // knows.
        return if facts.journal {
            Ok(Header { wal: false })
        } else {
            Err(not_sqlite(path))
        };
    }
    let (write, read) = file_header::versions(&header).unwrap_or_default();
    if !facts.journal && write > 2 {
        return Err(unwritable(path));
    }
    Ok(Header { wal: read == 2 })
}

/// A write version that SQLite takes for "may be read and never written".
pub(crate) fn unwritable(path: &Utf8Path) -> Fault {
    damaged(path, "its header says that no program may write it")
}

/// The path of the file itself: SQLite keeps its journal beside the file, not beside a link to it.
pub(crate) fn resolved(path: &Utf8Path) -> Result<Utf8PathBuf, Fault> {
    match path.canonicalize_utf8() {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(unavailable(
            format!("the database {path} is a link to a file that does not exist"),
            "check that the volume it points to is mounted",
        )),
        resolved => Ok(resolved.or_io(|| looking_at(path))?),
    }
}

/// The file that SQLite keeps beside the database: `-journal`, `-wal`, `-shm`.
pub(crate) fn beside(path: &Utf8Path, suffix: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}{suffix}"))
}

/// Whether the file is there and not empty.
pub(crate) fn has_bytes(path: &Utf8Path) -> Result<bool, Fault> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::io(looking_at(path), error)),
    }
}

/// The size of the file that SQLite would open beside the database, 0 where there is none.
fn part(path: &Utf8Path, suffix: &str) -> Result<u64, Fault> {
    let file = beside(path, suffix);
    match std::fs::symlink_metadata(&file) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(metadata) => Err(unavailable(
            format!(
                "{file}, which SQLite keeps beside its database, is no file but {}",
                kind_of(metadata.file_type())
            ),
            "find out what made it, and move it away",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Fault::io(looking_at(&file), error)),
    }
}

fn missing(path: &Utf8Path, parents_allowed: bool) -> Result<Sight, Fault> {
    let directory = parent(path);
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {
            // SQLite would throw these away with the first open, and they are all that is left.
            for suffix in ["-wal", "-journal"] {
                refuse_orphan(path, suffix, part(path, suffix)?)?;
            }
            Ok(Sight::Missing)
        }
        Ok(_) => Err(no_directory(path)),
        Err(error) if error.kind() == ErrorKind::NotFound && parents_allowed => {
            Ok(Sight::MissingDirectory)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_directory(path).because(error)),
        Err(error) => Err(Fault::io(looking_at(directory), error)),
    }
}

fn refuse_orphan(path: &Utf8Path, suffix: &str, bytes: u64) -> Result<(), Fault> {
    if bytes == 0 {
        return Ok(());
    }
    let file = beside(path, suffix);
    Err(Fault::new(
        FaultKind::DataCorrupt,
        format!("the database {path} is missing or empty, but {file} belongs to one"),
        "bring back the database that belongs to it, or move that file away and restore a \
         snapshot",
    ))
}

fn looking_at(path: &Utf8Path) -> String {
    format!("looking at {path}")
}

fn no_directory(path: &Utf8Path) -> Fault {
    let directory = parent(path);
    unavailable(
        format!("the directory {directory} of the database {path} does not exist"),
        "is the volume mounted? check the mount and the configured path",
    )
}

fn unavailable(message: String, hint: &str) -> Fault {
    Fault::new(FaultKind::DatabaseUnavailable, message, hint)
}

fn kind_of(kind: std::fs::FileType) -> &'static str {
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
