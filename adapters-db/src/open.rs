//! Opening: the settings of every connection, and the one place where the file is created.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::Duration;

use camino::Utf8Path;
use ports::{Fault, ResultExt};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::sql_error::{fault, parent};

/// How long a lock of another process is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens for reading and writing a file that is there.
pub(crate) fn read_write(path: &Utf8Path, busy: Duration) -> Result<Connection, Fault> {
    let opening = |error| fault(path, "opening", error);
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy).map_err(opening)?;
    // EXTRA: the directory is synced after a journal is deleted, or a power cut could bring the
    // journal back and with it the state before a commit that was already reported.
    connection
        .execute_batch(
            "PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
        )
        .map_err(opening)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Ok(connection)
}

/// Opens for reading alone. Neither the file nor anything beside it is changed, unless the
/// database uses write-ahead logging.
pub(crate) fn read_only(path: &Utf8Path, busy: Duration) -> Result<Connection, Fault> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy)
        .map_err(|error| fault(path, "opening", error))
}

fn open(path: &Utf8Path, mode: OpenFlags, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    // Temporary tables and statement journals in memory: no private key ends in a file of /tmp.
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Makes the empty file, readable by its owner alone from the first moment; SQLite gives its
/// journals the mode of the database.
pub(crate) fn create_empty(path: &Utf8Path) -> Result<(), Fault> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .or_io(|| format!("creating the database {path}"))
}

/// Makes the directory and those above it, durable when it returns.
pub(crate) fn create_directories(directory: &Utf8Path, mode: u32) -> Result<(), Fault> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    if above != directory {
        create_directories(above, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result.or_io(|| format!("creating the directory {directory}")),
    }?;
    sync_directory(above)
}

/// Makes what was created, renamed or removed in the directory durable.
pub(crate) fn sync_directory(directory: &Utf8Path) -> Result<(), Fault> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .or_io(|| format!("syncing the directory {directory}"))
}
