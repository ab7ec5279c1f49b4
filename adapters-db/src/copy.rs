//! A private copy of a database that cannot be read without a change beside it: one whose writer
//! died (a journal to roll back), or one with write-ahead logging.

use std::fs::{File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use tempfile::TempDir;

use crate::look::beside;
use crate::{open, sql_error};

const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// In memory, so that no key reaches a disk by way of the copy.
const MEMORY_DIRECTORY: &str = "/dev/shm";

/// The database in memory, as it would be after recovery. The copied files live no longer than
/// this call.
pub(crate) fn recovered(path: &Utf8Path, busy: Duration) -> Result<Connection, Fault> {
    let directory = private_directory()?;
    let target = Utf8PathBuf::from_path_buf(directory.path().join("copy.db")).map_err(|path| {
        Fault::new(
            FaultKind::Config,
            format!("the directory for temporary files {path:?} is not UTF-8"),
            "set TMPDIR to another directory",
        )
    })?;
    copy_at_rest(path, &target)?;
    let source = open::read_write(&target, busy)?;
    let connection = into_memory(&source)
        .map_err(|error| sql_error::fault(path, "reading a private copy", error))?;
    drop(source);
    directory
        .close()
        .or_io(|| "removing the private copy of the database")?;
    Ok(connection)
}

fn into_memory(source: &Connection) -> rusqlite::Result<Connection> {
    // A memory database cannot be in WAL mode; the copy is ours to change.
    source.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    let mut memory = Connection::open_in_memory()?;
    let backup = Backup::new(source, &mut memory)?;
    backup.run_to_completion(1024, Duration::ZERO, None)?;
    drop(backup);
    memory.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;")?;
    Ok(memory)
}

fn private_directory() -> Result<TempDir, Fault> {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("trustpointctl-");
        builder
    };
    builder()
        .tempdir_in(MEMORY_DIRECTORY)
        .or_else(|_| builder().tempdir())
        .or_io(|| "making a directory for a private copy of the database")
}

/// Copies the database with what stands beside it; again where a writer was at work meanwhile.
fn copy_at_rest(from: &Utf8Path, to: &Utf8Path) -> Result<(), Fault> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let before = stamps(from)?;
        for suffix in ["-journal", "-wal", ""] {
            copy_file(&beside(from, suffix), &beside(to, suffix))?;
        }
        if stamps(from)? == before {
            return Ok(());
        }
    }
    Err(Fault::new(
        FaultKind::DatabaseUnavailable,
        format!("the database {from} is being written all the time"),
        "wait until the other process is idle and try again",
    ))
}

fn copy_file(from: &Utf8Path, to: &Utf8Path) -> Result<(), Fault> {
    // What an earlier attempt left must not be taken for part of this one.
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Fault::io(format!("removing {to}"), error));
        }
        _ => {}
    }
    let what = || format!("copying {from} to read it");
    let mut source = match File::open(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.or_io(what)?,
    };
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .or_io(what)?;
    std::io::copy(&mut source, &mut target).or_io(what)?;
    Ok(())
}

type Stamp = (u64, u64, i64, i64);

fn stamps(path: &Utf8Path) -> Result<[Option<Stamp>; 3], Fault> {
    let stamp = |suffix: &str| -> Result<Option<Stamp>, Fault> {
        let file = beside(path, suffix);
        match std::fs::metadata(&file) {
            Ok(metadata) => Ok(Some(stamp_of(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::io(format!("looking at {file}"), error)),
        }
    };
    Ok([stamp("")?, stamp("-journal")?, stamp("-wal")?])
}

fn stamp_of(metadata: &Metadata) -> Stamp {
    (
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}
