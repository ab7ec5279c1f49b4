//! A private copy of a database that cannot be read without a change beside it: one whose writer
//! died (a journal to roll back), or one with write-ahead logging.
//!
//! It is for those alone who must change nothing. The bytes are copied into files without a name;
//! they have one while SQLite opens and recovers them, and lose it again before anything is read.
//! So whoever is killed leaves no copy, but for those few milliseconds.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _, StoreError};
use rusqlite::Connection;
use rustix::fs::OFlags;

use crate::sqlite::directory::unnamed_file;
use crate::sqlite::file_bytes::open_file;
use crate::sqlite::integrity::{ensure_length, size};
use crate::sqlite::memory::{PrivateDirectory, place_for, remove_leftovers};
use crate::sqlite::open;
use crate::sqlite::path_state::{beside, resolved};
use crate::sqlite::sql_error::unreadable;

const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// The database, and what belongs to it.
const PARTS: [&str; 3] = ["", "-journal", "-wal"];
/// What files take beside their bytes.
const SLACK: u64 = 64 << 10;

/// The database as it would be after recovery, for reading alone. The connection is to a file that
/// has no name any more.
pub(crate) fn recovered(path: &Utf8Path, busy: Duration) -> Result<Connection, StoreError> {
    remove_leftovers();
    let (place, parts) = copy_at_rest(&resolved(path)?)?;
    let named = PrivateDirectory::of(&place, &parts)?;
    // SQLite's own locks on these files would fall with these descriptors.
    drop(parts);
    let copy = named.database()?;
    let (connection, size) = recover(&copy, busy).map_err(|error| unreadable(path, error))?;
    let length = std::fs::metadata(&copy)
        .or_io(|| format!("looking at {copy}"))?
        .len();
    named.remove()?;
    ensure_length(path, length, size)?;
    Ok(connection)
}

/// Rolls a journal back, and brings a write-ahead log into the file. The copy is ours to change.
fn recover(copy: &Utf8Path, busy: Duration) -> rusqlite::Result<(Connection, u64)> {
    let connection = open::private(copy, busy)?;
    // The first read is where SQLite finds out about a journal, and takes the lock it keeps.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    let size = size(&connection)?;
    Ok((connection, size))
}

type Parts = Vec<(&'static str, File)>;

/// Copies the database with what stands beside it; again where a writer was at work meanwhile.
fn copy_at_rest(from: &Utf8Path) -> Result<(PathBuf, Parts), StoreError> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let before = stamps(from)?;
        let place = place_for(from, space_for(&before))?;
        let mut parts = Parts::new();
        for suffix in PARTS {
            if let Some(copy) = copy_file(&beside(from, suffix), &place)? {
                parts.push((suffix, copy));
            }
        }
        if stamps(from)? == before {
            return Ok((place, parts));
        }
    }
    Err(StoreError::WrittenAllTheTime {
        path: from.to_string(),
    })
}

/// The copies, and what the recovery may add to the database: each page of a journal or of a log.
fn space_for(stamps: &[Option<Stamp>; 3]) -> u64 {
    let bytes = |part: &Option<Stamp>| part.map_or(0, |stamp| stamp.bytes);
    let all = stamps.iter().map(bytes).fold(0, u64::saturating_add);
    let beside = stamps.iter().skip(1).map(bytes);
    beside.fold(all, u64::saturating_add).saturating_add(SLACK)
}

fn copy_file(from: &Utf8Path, place: &Path) -> Result<Option<File>, FileError> {
    let what = || format!("copying {from} to {} to read it", place.display());
    let mut source = match open_file(from, OFlags::NOFOLLOW) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.or_io(what)?,
    };
    let mut target = unnamed_file(place).or_io(what)?;
    std::io::copy(&mut source, &mut target).or_io(what)?;
    Ok(Some(target))
}

/// What changes where somebody writes.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Stamp {
    file: u64,
    bytes: u64,
    changed: (i64, i64),
}

fn stamps(path: &Utf8Path) -> Result<[Option<Stamp>; 3], FileError> {
    let [database, journal, log] = PARTS.map(|suffix| stamp(&beside(path, suffix)));
    Ok([database?, journal?, log?])
}

fn stamp(file: &Utf8PathBuf) -> Result<Option<Stamp>, FileError> {
    match std::fs::metadata(file) {
        Ok(metadata) => Ok(Some(Stamp {
            file: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new(format!("looking at {file}"), error)),
    }
}
