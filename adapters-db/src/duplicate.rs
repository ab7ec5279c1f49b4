//! One state of a live database, copied into a draft and compared with it.
//!
//! The long part of the work, the writing, is done without a lock, on pages that may change
//! meanwhile. Then, in one read transaction, which keeps every writer away, both files are read
//! side by side and what differs is copied again: the lock is held for one reading and no longer
//! (ADR 11).

use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::thread;

use camino::Utf8Path;
use ports::{Fault, FaultKind, ResultExt as _};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rustix::fs::{Advice, fadvise};

use crate::draft::{Draft, descriptors_of};
use crate::sql_error::fault;
use crate::through_sqlite;

/// How much is read and written at a time.
pub(crate) const CHUNK: usize = 1 << 20;
/// Where the header says whether the file uses write-ahead logging, and what it says then.
const LOGGING: Range<usize> = 18..20;
const WRITE_AHEAD: [u8; 2] = [2, 2];
const ROLLBACK: [u8; 2] = [1, 1];

/// A database that is copied.
///
/// Closing any descriptor of a file drops every lock that this process has on it, SQLite's too. So
/// this has to outlive the transactions of every connection to the same file.
pub(crate) struct Source<'a> {
    path: &'a Utf8Path,
    connection: &'a Connection,
    /// `None` where the pages do not stand in the file alone.
    file: Option<File>,
}

impl<'a> Source<'a> {
    /// The database of this connection.
    pub(crate) fn of(path: &'a Utf8Path, connection: &'a Connection) -> Result<Self, Fault> {
        let file = File::open(path).or_io(|| format!("opening the database {path}"))?;
        let is_plain = is_open(connection, &file)? && !is_write_ahead(path, &file)?;
        let file = is_plain.then_some(file);
        Ok(Self {
            path,
            connection,
            file,
        })
    }

    /// Its file, to be kept for as long as another connection has a lock on it.
    pub(crate) fn into_file(self) -> Option<File> {
        self.file
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &'a Utf8Path {
        self.path
    }

    /// Copies it as it is in one moment, makes sure that the copy is that and is whole, and tells
    /// what `look` sees in that state. `progress` hears how much of how much is copied.
    pub(crate) fn copy<T>(
        &self,
        draft: &Draft,
        progress: &mut dyn FnMut(u64, u64),
        look: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<Copied<T>, Fault> {
        let what = || format!("copying the database {}", self.path);
        let reading = |error| fault(self.path, "reading", error);
        if let Some(file) = &self.file {
            copy_as_it_is(file, draft.file(), progress).or_io(what)?;
        }
        let state = begin_reading(self.connection).map_err(reading)?;
        let size = size(&state).map_err(reading)?;
        let look = || {
            check_pages(self.path, &state)?;
            look(&state)
        };
        let (as_written, seen) = match &self.file {
            Some(file) => self.settle(file, draft.file(), size, look)?,
            None => {
                through_sqlite::copy(self.path, &state, draft, progress)?;
                (false, look()?)
            }
        };
        state.commit().map_err(reading)?;
        Ok(Copied {
            size,
            as_written,
            seen,
        })
    }

    /// Makes the copy the same as the database, which nobody can change now, and meanwhile does
    /// what else is to be done in this state. Tells also whether the copy was the same already.
    fn settle<T>(
        &self,
        from: &File,
        to: &File,
        size: u64,
        meanwhile: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<(bool, T), Fault> {
        let what = || format!("copying the database {}", self.path);
        if is_write_ahead(self.path, from)? {
            return Err(Fault::new(
                FaultKind::DatabaseUnavailable,
                format!(
                    "{} was switched to write-ahead logging meanwhile",
                    self.path
                ),
                "run this again",
            ));
        }
        if from.metadata().or_io(what)?.len() < size {
            return Err(damaged(self.path, "it is cut short"));
        }
        to.set_len(size).or_io(what)?;
        let (seen, same) = thread::scope(|scope| {
            let same = scope.spawn(|| make_same(from, to, size));
            (meanwhile(), same.join())
        });
        match same.map_err(|_| thread_died())?.or_io(what)? {
            Same::Already => Ok((true, seen?)),
            Same::Now => Ok((false, seen?)),
            Same::Never => Err(through_sqlite::unlike(self.path)),
        }
    }
}

/// A copy that was made.
pub(crate) struct Copied<T> {
    /// How many bytes the database has.
    pub(crate) size: u64,
    /// Whether `progress` heard of the very bytes that are in the copy now.
    pub(crate) as_written: bool,
    /// What was seen in the state that was copied.
    pub(crate) seen: T,
}

/// A read transaction that has its state: `BEGIN` alone takes none.
pub(crate) fn begin_reading(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    let state = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
    state.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(state)
}

/// Whether a database is whole in itself: pages, tables, indexes.
pub(crate) fn check_pages(path: &Utf8Path, database: &Connection) -> Result<(), Fault> {
    let verdict: String = database
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| fault(path, "checking the database", error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(damaged(path, &verdict))
}

fn damaged(path: &Utf8Path, how: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the database {path} is damaged: {how}"),
        "keep a copy of the file, then restore the newest snapshot or a backup (`backup restore`)",
    )
}

/// The fault of a thread that panicked.
pub(crate) fn thread_died() -> Fault {
    Fault::new(
        FaultKind::Internal,
        "a thread of this program died",
        "this is a defect of the program; report it with this message",
    )
}

/// Bytes that a database has in its file.
pub(crate) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let size = number("page_count")?.saturating_mul(number("page_size")?);
    Ok(u64::try_from(size).unwrap_or_default())
}

/// Takes the mark of write-ahead logging off a file that has no log beside it.
pub(crate) fn without_log(file: &File) -> std::io::Result<()> {
    let mut mark = [0; 2];
    match file.read_exact_at(&mut mark, LOGGING.start as u64) {
        Ok(()) if mark == WRITE_AHEAD => file.write_all_at(&ROLLBACK, LOGGING.start as u64),
        result => result,
    }
}

fn is_write_ahead(path: &Utf8Path, file: &File) -> Result<bool, Fault> {
    let mut header = [0; LOGGING.end];
    let count = file
        .read_at(&mut header, 0)
        .or_io(|| format!("reading the database {path}"))?;
    Ok(count == header.len() && header.ends_with(&WRITE_AHEAD))
}

/// Whether it is this file that the connection has open: not a private copy of it, and not one
/// that was replaced since.
fn is_open(connection: &Connection, file: &File) -> Result<bool, Fault> {
    let what = || "looking at the open files of this process";
    let named = match std::fs::metadata(connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        metadata => metadata.or_io(what)?,
    };
    let ours = file.metadata().or_io(what)?;
    let is_named = (named.dev(), named.ino()) == (ours.dev(), ours.ino());
    Ok(is_named && descriptors_of(file).or_io(what)? > 1)
}

/// Copies a file that others may be writing to.
pub(crate) fn copy_as_it_is(
    from: &File,
    to: &File,
    progress: &mut dyn FnMut(u64, u64),
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut place = 0;
    loop {
        let count = read_at(from, &mut chunk, place)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        to.write_all_at(bytes, place)?;
        write_back(to, place, count);
        place += count as u64;
        progress(place, from.metadata()?.len().max(place));
    }
    progress(place, place);
    Ok(())
}

/// Has the disk begin with it, so that there is less to wait for at the end. What the kernel makes
/// of the advice changes nothing but the time.
fn write_back(file: &File, place: u64, count: usize) {
    let _ = fadvise(file, place, NonZeroU64::new(count as u64), Advice::DontNeed);
}

/// What became of a copy that may differ.
enum Same {
    /// It did not differ.
    Already,
    /// It was put right.
    Now,
    /// It still differs.
    Never,
}

/// Copies what differs, and reads back what was copied.
fn make_same(from: &File, to: &File, size: u64) -> std::io::Result<Same> {
    let mut same = Same::Already;
    let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
    for place in (0..size).step_by(CHUNK) {
        let length = usize::try_from(size - place).map_or(CHUNK, |left| left.min(CHUNK));
        theirs.resize(length, 0);
        ours.resize(length, 0);
        from.read_exact_at(&mut theirs, place)?;
        to.read_exact_at(&mut ours, place)?;
        if ours != theirs {
            to.write_all_at(&theirs, place)?;
            to.read_exact_at(&mut ours, place)?;
            same = Same::Now;
        }
        if ours != theirs {
            return Ok(Same::Never);
        }
    }
    Ok(same)
}

/// Reads until the chunk is full or the file ends.
pub(crate) fn read_at(file: &File, chunk: &mut [u8], place: u64) -> std::io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = chunk.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, place + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
