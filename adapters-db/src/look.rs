//! What stands at the path, before SQLite is asked: SQLite would take a missing file for a new
//! database, and would wait on a fifo.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt};

use crate::sql_error::parent;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// Offset of the file format's read version; 2 is write-ahead logging.
const READ_VERSION: usize = 19;

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
    /// Write-ahead logging: even a reader makes files beside the database.
    pub(crate) wal: bool,
    /// A journal stands beside it, of a writer that is at work or has died.
    pub(crate) journal: bool,
}

/// Device and inode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// Looks. A missing directory is an error unless `parents_allowed`.
pub(crate) fn look(path: &Utf8Path, parents_allowed: bool) -> Result<Sight, Fault> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return missing(path, parents_allowed),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(no_directory(path).because(error));
        }
        Err(error) => return Err(Fault::io(format!("looking at the database {path}"), error)),
    };
    if !metadata.is_file() {
        return Err(unavailable(
            format!("the database {path} is no file{}", kind_of(&metadata)),
            "set the database's path to a file, or move away what stands there",
        ));
    }
    if metadata.len() == 0 {
        refuse_orphan(path, &["-wal"])?;
        return Ok(Sight::Empty);
    }
    let header = read_header(path)?;
    let journal = has_bytes(&beside(path, "-journal"))?;
    // After a power cut in the very first write the header may be missing and the journal knows.
    if !header.starts_with(MAGIC) && !journal {
        return Err(not_sqlite(path));
    }
    Ok(Sight::File(FileFacts {
        identity: Identity::of(&metadata),
        wal: header.get(READ_VERSION) == Some(&2),
        journal,
    }))
}

/// Which file stands at the path now, where one does.
pub(crate) fn identity(path: &Utf8Path) -> Option<Identity> {
    std::fs::metadata(path)
        .ok()
        .map(|metadata| Identity::of(&metadata))
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
        Err(error) => Err(Fault::io(format!("looking at {path}"), error)),
    }
}

/// A file that is not SQLite.
pub(crate) fn not_sqlite(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the file {path} is no SQLite database"),
        "keep a copy of the file, check the configured path, then restore the newest snapshot or \
         a backup (`backup restore`)",
    )
}

fn missing(path: &Utf8Path, parents_allowed: bool) -> Result<Sight, Fault> {
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(unavailable(
            format!("the database {path} is a link to a file that does not exist"),
            "check that the volume it points to is mounted",
        ));
    }
    let directory = parent(path);
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {
            // SQLite would throw these away with the first open, and they are all that is left.
            refuse_orphan(path, &["-wal", "-journal"])?;
            Ok(Sight::Missing)
        }
        Ok(_) => Err(no_directory(path)),
        Err(error) if error.kind() == ErrorKind::NotFound && parents_allowed => {
            Ok(Sight::MissingDirectory)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_directory(path).because(error)),
        Err(error) => Err(Fault::io(format!("looking at {directory}"), error)),
    }
}

fn refuse_orphan(path: &Utf8Path, suffixes: &[&str]) -> Result<(), Fault> {
    for suffix in suffixes {
        let file = beside(path, suffix);
        if has_bytes(&file)? {
            return Err(Fault::new(
                FaultKind::DataCorrupt,
                format!("the database {path} is missing or empty, but {file} belongs to one"),
                "bring back the database that belongs to it, or move that file away and restore a \
                 snapshot",
            ));
        }
    }
    Ok(())
}

fn read_header(path: &Utf8Path) -> Result<Vec<u8>, Fault> {
    let what = || format!("reading the database {path}");
    let mut header = Vec::with_capacity(HEADER);
    File::open(path)
        .or_io(what)?
        .take(HEADER as u64)
        .read_to_end(&mut header)
        .or_io(what)?;
    Ok(header)
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

fn kind_of(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        " but a directory"
    } else {
        ""
    }
}
