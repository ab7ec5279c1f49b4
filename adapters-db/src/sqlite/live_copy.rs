//! One state of a live database, copied into a draft and compared with it.
//!
//! The long part of the work, the writing, is done without a lock, on pages that may change
//! meanwhile. Then, in one read transaction, which keeps every writer away, both files are read
//! side by side and what differs is copied again: the lock is held for one reading and no longer
//! (ADR 11).

use std::fs::File;
use std::io::ErrorKind;
use std::thread;

use ports::{FileError, ResultExt as _, StoreError};

use crate::defect::defect;
use crate::sqlite::db::Db;
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::{Same, copy_as_it_is, make_same};
use crate::sqlite::file_header::is_write_ahead;
use crate::sqlite::identity::{Identity, descriptors_of};
use crate::sqlite::integrity::{check_pages, size};
use crate::sqlite::sql_error::damaged;
use crate::sqlite::through_sqlite;

/// A copy that was made.
pub(crate) struct Copied<T> {
    /// How many bytes the database has.
    pub(crate) size: u64,
    /// Whether `progress` heard of the very bytes that are in the copy now.
    pub(crate) as_written: bool,
    /// What was read from the state that was copied.
    pub(crate) read: T,
}

/// The database's own file, opened once more; `None` where the pages do not stand in it alone, or
/// it is not the one that the connection has open.
///
/// Closing any descriptor of a file drops every lock that this process has on it, SQLite's too. So
/// this has to outlive the transactions of every connection to the same file.
pub(crate) fn plain_file(db: &Db<'_>) -> Result<Option<File>, FileError> {
    // The copy of a database on a server has none.
    if db.connection.path().is_none_or(str::is_empty) {
        return Ok(None);
    }
    let file = File::open(db.path).or_io(|| format!("opening the database {}", db.path))?;
    let is_plain = is_open(db, &file)? && !is_write_ahead(db.path, &file)?;
    Ok(is_plain.then_some(file))
}

/// Copies the database as it is in one moment, makes sure that the copy is that and is whole, and
/// tells what `read` reads in that state. `file` is its [`plain_file`]. `progress` hears how much
/// of how much is copied.
pub(crate) fn copy<T>(
    db: &Db<'_>,
    file: Option<&File>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
    read: impl FnOnce(&Db<'_>) -> Result<T, StoreError>,
) -> Result<Copied<T>, StoreError> {
    if let Some(file) = file {
        copy_as_it_is(file, draft.file(), progress).or_io(|| draft.copying(db.path))?;
    }
    let transaction = db.begin_reading()?;
    let state = Db::new(db.path, &transaction);
    let size = size(&state).map_err(db.failed("reading"))?;
    let read = || {
        check_pages(&state)?;
        read(&state)
    };
    let (as_written, read) = match file {
        Some(file) => settle(db, file, draft, size, read)?,
        None => {
            through_sqlite::copy(&state, draft, progress)?;
            (false, read()?)
        }
    };
    transaction.commit().map_err(db.failed("reading"))?;
    Ok(Copied {
        size,
        as_written,
        read,
    })
}

/// Makes the copy the same as the database, which nobody can change now, and meanwhile does what
/// else is to be done in this state. Tells also whether the copy was the same already.
fn settle<T>(
    db: &Db<'_>,
    from: &File,
    draft: &Draft,
    size: u64,
    meanwhile: impl FnOnce() -> Result<T, StoreError>,
) -> Result<(bool, T), StoreError> {
    let (path, to) = (db.path, draft.file());
    let what = || draft.copying(path);
    if is_write_ahead(path, from)? {
        return Err(StoreError::LoggingChanged {
            path: path.to_string(),
        });
    }
    if from.metadata().or_io(what)?.len() < size {
        return Err(damaged(path, "it is cut short"));
    }
    to.set_len(size).or_io(what)?;
    let (read, same) = thread::scope(|scope| {
        let same = scope.spawn(|| make_same(from, to, size));
        (meanwhile(), same.join())
    });
    match same.map_err(|_| thread_died())?.or_io(what)? {
        Same::Already => Ok((true, read?)),
        Same::Now => Ok((false, read?)),
        Same::Never => Err(StoreError::CopyDiffers {
            path: path.to_string(),
        }),
    }
}

/// A thread has panicked.
pub(crate) fn thread_died() -> StoreError {
    defect("a thread of this program died", None)
}

/// Whether it is this file that the connection has open: not a private copy of it, and not one
/// that was replaced since.
fn is_open(db: &Db<'_>, file: &File) -> Result<bool, FileError> {
    let what = || "looking at the open files of this process";
    let named = match std::fs::metadata(db.connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        metadata => metadata.or_io(what)?,
    };
    let is_named = Identity::of(&named) == Identity::of_file(file).or_io(what)?;
    Ok(is_named && descriptors_of(file).or_io(what)? > 1)
}
