//! Opening: the settings of every connection.

use std::time::Duration;

use camino::Utf8Path;
use ports::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
use rustix::fs::Access;

use crate::sqlite::path_state::{beside, unwritable};
use crate::sqlite::sql_error::{missing_right, unreadable};

/// How long a lock of another process is waited for.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Up to here a value is read; ours are certificates at most.
const LONGEST_VALUE: i32 = 16 << 20;
/// How many steps of its virtual machine SQLite takes between two looks at the limit.
const STEPS: i32 = 1 << 16;
/// A row has some bytes, and the most thorough check takes some ten steps a row.
const STEPS_PER_BYTE: u64 = 64;
const STEPS_AT_LEAST: u64 = 16 << 20;

/// Opens for reading and writing a file that is there. SQLite reads it here for the first time,
/// and recovers it in place where a writer has died.
pub(crate) fn read_write(path: &Utf8Path, busy: Duration) -> Result<Connection, StoreError> {
    let opening = |error| unreadable(path, error);
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy).map_err(opening)?;
    // EXTRA: the directory is synced after a journal is deleted, or a power cut could bring the
    // journal back and with it the state before a commit that was already reported.
    connection
        .execute_batch(
            "PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;",
        )
        .map_err(opening)?;
    // SQLite falls back to reading where the file system, or the file's own header, forbids more.
    if connection.is_readonly(MAIN_DB).map_err(opening)?
        && missing_right(path, Access::WRITE_OK).is_none()
    {
        return Err(unwritable(path));
    }
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    Ok(connection)
}

/// Opens for reading alone. Neither the file nor anything beside it is changed, unless the
/// database uses write-ahead logging.
pub(crate) fn read_only(path: &Utf8Path, busy: Duration) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy).map_err(|error| unreadable(path, error))
}

/// Opens a private copy that nobody else knows of. From its first read on it keeps its lock: it
/// never looks for a journal again, and needs no shared memory for a write-ahead log.
pub(crate) fn private(path: &Utf8Path, busy: Duration) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF;")?;
    Ok(connection)
}

fn open(path: &Utf8Path, mode: OpenFlags, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy)?;
    let size = |file: &Utf8Path| std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let bytes = size(path).saturating_add(size(&beside(path, "-wal")));
    distrust(&mut connection, bytes)?;
    Ok(connection)
}

/// Takes the file for one that somebody may have altered: nothing in it is run, and no read of
/// its `bytes` goes on for ever.
pub(crate) fn distrust(connection: &mut Connection, bytes: u64) -> rusqlite::Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    limit(connection, bytes)?;
    // Temporary tables and statement journals in memory: no private key ends in a file of /tmp.
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;")
}

/// From here on, as many steps as a database of so many bytes can take, and no more: pages that
/// lead to one another in a circle, or a view that counts to infinity, would be read for ever.
pub(crate) fn limit(connection: &mut Connection, bytes: u64) -> rusqlite::Result<()> {
    let steps = bytes.saturating_mul(STEPS_PER_BYTE).max(STEPS_AT_LEAST);
    let mut left = steps / u64::from(STEPS.unsigned_abs());
    connection.progress_handler(
        STEPS,
        Some(move || {
            left = left.saturating_sub(1);
            left == 0
        }),
    )
}
