//! One state of a live database, copied into a draft and compared with it.
//!
//! The long part of the work, the writing, is done without a lock, on pages that may change
//! meanwhile. Then, in one read transaction, which keeps every writer away, both files are read
//! side by side and what differs is copied again: the lock is held for one reading and no longer
//! (ADR 11).

use std::fs::File;
use std::io::ErrorKind;
use std::thread;

use camino::Utf8Path;
use ports::{FileError, FileResultExt as _, StoreError};
use rusqlite::Connection;

use crate::db::Db;
use crate::draft::Draft;
use crate::file_bytes::{Same, copy_as_it_is, make_same};
use crate::file_header::is_write_ahead;
use crate::identity::{Identity, descriptors_of};
use crate::integrity::{check_pages, size};
use crate::sql_error::{damaged, defect};
use crate::through_sqlite;

/// A database that is copied.
///
/// Closing any descriptor of a file drops every lock that this process has on it, SQLite's too. So
/// this has to outlive the transactions of every connection to the same file.
pub(crate) struct Source<'a> {
    db: Db<'a>,
    /// `None` where the pages do not stand in the file alone.
    file: Option<File>,
}

impl<'a> Source<'a> {
    /// The database of this connection.
    pub(crate) fn of(db: Db<'a>) -> Result<Self, FileError> {
        let file = File::open(db.path).or_io(|| format!("opening the database {}", db.path))?;
        let is_plain = is_open(&db, &file)? && !is_write_ahead(db.path, &file)?;
        let file = is_plain.then_some(file);
        Ok(Self { db, file })
    }

    /// Its file, to be kept for as long as another connection has a lock on it.
    pub(crate) fn into_file(self) -> Option<File> {
        self.file
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &'a Utf8Path {
        self.db.path
    }

    /// Copies it as it is in one moment, makes sure that the copy is that and is whole, and tells
    /// what `look` sees in that state. `progress` hears how much of how much is copied.
    pub(crate) fn copy<T>(
        &self,
        draft: &Draft,
        progress: &mut dyn FnMut(u64, u64),
        look: impl FnOnce(&Db<'_>) -> Result<T, StoreError>,
    ) -> Result<Copied<T>, StoreError> {
        let what = || format!("copying the database {}", self.db.path);
        let reading = self.db.failed("reading");
        if let Some(file) = &self.file {
            copy_as_it_is(file, draft.file(), progress).or_io(what)?;
        }
        let state = self.db.one_state()?;
        let db = Db::new(self.db.path, &state);
        let size = size(&db).map_err(&reading)?;
        let look = || {
            check_pages(&db)?;
            look(&db)
        };
        let (as_written, seen) = match &self.file {
            Some(file) => self.settle(file, draft.file(), size, look)?,
            None => {
                through_sqlite::copy(&db, draft, progress)?;
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
        meanwhile: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<(bool, T), StoreError> {
        let path = self.db.path;
        let what = || format!("copying the database {path}");
        if is_write_ahead(path, from)? {
            return Err(StoreError::LoggingChanged {
                path: path.to_string(),
            });
        }
        if from.metadata().or_io(what)?.len() < size {
            return Err(damaged(path, "it is cut short"));
        }
        to.set_len(size).or_io(what)?;
        let (seen, same) = thread::scope(|scope| {
            let same = scope.spawn(|| make_same(from, to, size));
            (meanwhile(), same.join())
        });
        match same.map_err(|_| thread_died())?.or_io(what)? {
            Same::Already => Ok((true, seen?)),
            Same::Now => Ok((false, seen?)),
            Same::Never => Err(StoreError::CopyDiffers {
                path: path.to_string(),
            }),
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

/// A thread has panicked.
pub(crate) fn thread_died() -> StoreError {
    defect("a thread of this program died", None)
}

/// Whether it is this file that the connection has open: not a private copy of it, and not one
/// that was replaced since.
fn is_open(connection: &Connection, file: &File) -> Result<bool, FileError> {
    let what = || "looking at the open files of this process";
    let named = match std::fs::metadata(connection.path().unwrap_or_default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        metadata => metadata.or_io(what)?,
    };
    let is_named = Identity::of(&named) == Identity::of_file(file).or_io(what)?;
    Ok(is_named && descriptors_of(file).or_io(what)? > 1)
}
