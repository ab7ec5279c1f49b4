//! A private copy of a database that cannot be read without a change beside it: one whose writer
//! died (a journal to roll back), or one with write-ahead logging.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use rustix::fs::statfs;
use tempfile::TempDir;

use crate::look::beside;
use crate::{open, sql_error};

const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// Magic numbers of the file systems in memory (statfs(2)).
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;

/// The database in memory, as it would be after recovery. The copied files live no longer than
/// the recovery takes.
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
    let failed = |error| sql_error::fault(path, "reading a private copy", error);
    recover(&source).map_err(failed)?;
    // Before the long part of the work: a process that is killed leaves no file with keys in it.
    directory
        .close()
        .or_io(|| "removing the private copy of the database")?;
    into_memory(&source).map_err(failed)
}

/// Rolls a journal back, and brings a write-ahead log into the file: a memory database has
/// neither. The copy is ours to change.
fn recover(source: &Connection) -> rusqlite::Result<()> {
    // The first read is where SQLite finds out about a journal.
    source.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    source.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
}

fn into_memory(source: &Connection) -> rusqlite::Result<Connection> {
    let mut memory = Connection::open_in_memory()?;
    let backup = Backup::new(source, &mut memory)?;
    backup.run_to_completion(1024, Duration::ZERO, None)?;
    drop(backup);
    memory.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;")?;
    Ok(memory)
}

fn private_directory() -> Result<TempDir, Fault> {
    for place in [
        Path::new("/dev/shm"),
        Path::new("/run"),
        &std::env::temp_dir(),
    ] {
        if !is_memory(place) {
            continue;
        }
        let made = tempfile::Builder::new()
            .prefix("trustpointctl-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place);
        if let Ok(directory) = made {
            return Ok(directory);
        }
    }
    Err(Fault::new(
        FaultKind::Config,
        "the database has a journal or a write-ahead log of its own, and there is no tmpfs for a \
         private copy of it: keys would reach a disk",
        "mount a tmpfs on /dev/shm, or set TMPDIR to one that this user may write",
    ))
}

/// No key may reach a disk by way of the copy.
fn is_memory(place: &Path) -> bool {
    // The field's type differs between architectures; every magic number has 32 bits.
    statfs(place).is_ok_and(|stat| matches!(stat.f_type as u32, TMPFS | RAMFS))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_in_memory_alone() {
        assert!(is_memory(Path::new("/dev/shm")));
        for place in ["/proc", "/no/such/place"] {
            assert!(!is_memory(Path::new(place)), "{place}");
        }
    }
}
