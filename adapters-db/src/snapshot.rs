//! A consistent, verified copy of the database before it is migrated (C15).

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt, Snapshot};
use ring::digest::{Context, SHA256};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tempfile::NamedTempFile;
use time::OffsetDateTime;

use crate::snapshot_files::{
    SnapshotFile, TEMPORARY_PREFIX, TEMPORARY_SUFFIX, list, name, remove_leftovers, same_bytes,
    version_inside,
};
use crate::sql_error::fault;
use crate::{node, open};

const KEPT: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// Pages that are copied at a time.
const PAGES: i32 = 1024;

/// Makes the snapshot; `None` where the newest one is of this very state.
pub(crate) fn make(
    path: &Utf8Path,
    connection: &Connection,
    directory: &Utf8Path,
    now: OffsetDateTime,
    patience: Duration,
) -> Result<Option<Snapshot>, Fault> {
    open::create_directories(directory, 0o700)?;
    remove_leftovers(directory)?;
    let temporary = temporary_file(directory)?;
    let target = Utf8Path::from_path(temporary.path()).ok_or_else(|| not_utf8(directory))?;
    {
        // What is copied and what is compared is one state, whoever else writes meanwhile.
        let source = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)
            .map_err(|error| fault(path, "making a snapshot", error))?;
        copy(path, &source, target, patience, &mut |_, _| ())?;
        verify(path, &source, target)?;
    }
    if let Some(newest) = list(directory)?.first()
        && same_bytes(target, &newest.path)?
    {
        return Ok(None);
    }
    temporary
        .as_file()
        .sync_all()
        .or_io(|| format!("syncing the snapshot {target}"))?;
    let version = node::version(connection);
    let kept = publish(temporary, directory, version.as_deref(), now)?;
    open::sync_directory(directory)?;
    prune(directory, &kept)?;
    Ok(Some(Snapshot {
        path: kept.into_string(),
        version,
    }))
}

/// The snapshots, newest first.
pub(crate) fn all(directory: &Utf8Path) -> Result<Vec<Snapshot>, Fault> {
    Ok(list(directory)?
        .into_iter()
        .map(|SnapshotFile { path, .. }| Snapshot {
            version: version_inside(&path),
            path: path.into_string(),
        })
        .collect())
}

fn temporary_file(directory: &Utf8Path) -> Result<NamedTempFile, Fault> {
    tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)
        .or_io(|| format!("making a file for the snapshot in {directory}"))
}

/// Copies one state of the database into an empty file. `progress` hears how many pages of how
/// many are copied.
pub(crate) fn copy(
    path: &Utf8Path,
    source: &Connection,
    target: &Utf8Path,
    patience: Duration,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Fault> {
    let copying = |error| fault(path, "copying a snapshot", error);
    let mut to = Connection::open_with_flags(
        target,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| fault(target, "opening the snapshot", error))?;
    // The file is thrown away if anything goes wrong, and synced once when all is right.
    to.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
        .map_err(|error| fault(target, "opening the snapshot", error))?;
    let backup = Backup::new(source, &mut to).map_err(copying)?;
    let end = Instant::now() + patience;
    loop {
        let step = backup.step(PAGES).map_err(copying)?;
        let pages = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        progress(
            count(pages.pagecount.saturating_sub(pages.remaining)),
            count(pages.pagecount),
        );
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ if Instant::now() >= end => {
                return Err(Fault::new(
                    FaultKind::DatabaseUnavailable,
                    format!("the database {path} is locked; no snapshot could be made"),
                    "another process holds the database; end it, or wait and start again",
                ));
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
    drop(backup);
    // A copy of a database with write-ahead logging would need files beside it to be read.
    to.execute_batch("PRAGMA journal_mode = DELETE;")
        .map_err(copying)
}

/// The copy is whole and says what the source says, row by row.
pub(crate) fn verify(path: &Utf8Path, source: &Connection, target: &Utf8Path) -> Result<(), Fault> {
    let checking = |error| fault(target, "checking the snapshot", error);
    let copy = open::read_only(target, Duration::ZERO)?;
    let verdict: String = copy
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(checking)?;
    if verdict != "ok" {
        return Err(unlike(path, &verdict));
    }
    let reading = |error| fault(path, "comparing with the snapshot", error);
    if contents(source).map_err(reading)? != contents(&copy).map_err(checking)? {
        return Err(unlike(path, "its rows differ"));
    }
    Ok(())
}

fn unlike(path: &Utf8Path, how: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("a snapshot of the database {path} does not hold what it should: {how}"),
        "check the disk and the memory of this machine; the database was left as it is",
    )
}

/// Application id and, for each table, a digest over its rows: no value is kept in memory.
fn contents(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<u8>>> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let mut contents = BTreeMap::from([(String::new(), id.to_be_bytes().to_vec())]);
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let digest = digest_of(connection, &table)?;
        contents.insert(table, digest);
    }
    Ok(contents)
}

fn digest_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<u8>> {
    let mut digest = Context::new(&SHA256);
    let quoted = table.replace('"', "\"\"");
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
                ValueRef::Null => (0, &[]),
                ValueRef::Integer(number) => (1, &number.to_be_bytes()),
                ValueRef::Real(number) => (2, &number.to_bits().to_be_bytes()),
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(blob) => (4, blob),
            };
            digest.update(&[kind]);
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    }
    Ok(digest.finish().as_ref().to_vec())
}

/// Gives the finished file its name, the first that is free.
fn publish(
    mut temporary: NamedTempFile,
    directory: &Utf8Path,
    version: Option<&str>,
    now: OffsetDateTime,
) -> Result<Utf8PathBuf, Fault> {
    for number in 0.. {
        let path = directory.join(name(version, now, number));
        match temporary.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => {
                temporary = refused.file;
            }
            Err(refused) => {
                return Err(Fault::io(
                    format!("naming the snapshot {path}"),
                    refused.error,
                ));
            }
        }
    }
    Err(not_utf8(directory))
}

/// Removes the oldest; never the one just made, whatever the clock says of it.
fn prune(directory: &Utf8Path, made: &Utf8Path) -> Result<(), Fault> {
    let others = list(directory)?;
    for old in others
        .iter()
        .filter(|file| file.path != made)
        .skip(KEPT - 1)
    {
        std::fs::remove_file(&old.path)
            .or_io(|| format!("removing the old snapshot {}", old.path))?;
    }
    Ok(())
}

fn not_utf8(directory: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::Internal,
        format!("no name for a snapshot in {directory}"),
        "this is a defect of the program; report it with this message",
    )
}
