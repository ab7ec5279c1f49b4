//! A new database appears whole or not at all: it is made beside its place and then renamed.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _, StoreError};
use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::sqlite::directory::{parent, remove_if_there, sync_directory};
use crate::sqlite::open;
use crate::sqlite::owner::Owner;
use crate::sqlite::path_state::beside;
use crate::sqlite::sql_error::failed;

/// Gives `write` the connection to a new database that gets the name `path` once `write` has
/// worked.
pub(crate) fn whole<T>(
    path: &Utf8Path,
    busy: Duration,
    write: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let new = Unfinished::of(path)?;
    // SQLite gives its journals the mode of the database: its owner's alone from the first moment.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new.path)
        .or_io(|| format!("creating the database {}", new.path))?;
    Owner::of_database(path)?.take(&file, path)?;
    // Before SQLite opens it: closing it later would drop SQLite's locks.
    drop(file);
    let mut connection = open::read_write(&new.path, busy)?;
    let value = write(&mut connection)?;
    connection
        .close()
        .map_err(|(_, error)| failed(path, "closing", error))?;
    take_the_name(&new.path, path)?;
    sync_directory(parent(path))?;
    Ok(value)
}

/// The start lock keeps other starts away; a second host may not see it.
fn take_the_name(new: &Utf8Path, path: &Utf8Path) -> Result<(), StoreError> {
    let (from, to) = (new.as_std_path(), path.as_std_path());
    let creating = || format!("creating the database {path}");
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            Ok(std::fs::rename(new, path).or_io(creating)?)
        }
        Err(Errno::EXIST) => Err(StoreError::MadeByAnother {
            path: path.to_string(),
        }),
        Err(error) => Err(FileError::new(creating(), error.into()).into()),
    }
}

/// The database that is being made, removed unless it has got its name.
struct Unfinished {
    path: Utf8PathBuf,
}

impl Unfinished {
    /// Also removes what a start that was killed has left.
    fn of(path: &Utf8Path) -> Result<Self, FileError> {
        let new = Self {
            path: beside(path, ".new"),
        };
        for file in new.files() {
            remove_if_there(&file).or_io(|| format!("removing {file}"))?;
        }
        Ok(new)
    }

    fn files(&self) -> [Utf8PathBuf; 2] {
        [self.path.clone(), beside(&self.path, "-journal")]
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for file in self.files() {
            // The failure is on its way to the operator already; the next start tries again.
            let _ = std::fs::remove_file(file);
        }
    }
}
