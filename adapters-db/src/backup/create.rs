//! Making a backup of a live database.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use domain::SchemaState;
use ports::{
    BackupManifest, BackupOrigin, DatabaseState, Fault, FaultKind, NodeRecord, ResultExt as _,
};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tempfile::NamedTempFile;

use super::{digest, manifest, no_database, read};
use crate::sql_error::{fault, parent};
use crate::{migrate, node, open, schema, scrub, snapshot};

const SUFFIX: &str = ".tmp";

/// Copies, writes the manifest, reads the result back, and gives it its name.
pub(super) fn create(
    path: &Utf8Path,
    source: &Connection,
    patience: Duration,
    file: &Utf8Path,
    origin: &BackupOrigin,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupManifest, Fault> {
    let record = record(path, source)?;
    let prefix = prefix(file)?;
    remove_leftovers(parent(file), &prefix)?;
    let temporary = temporary_file(file, &prefix)?;
    let target = Utf8PathBuf::from_path_buf(temporary.path().to_owned())
        .map_err(|path| not_utf8(&path.to_string_lossy()))?;
    {
        // What is copied and what is compared is one state, whoever else writes meanwhile.
        let state = Transaction::new_unchecked(source, TransactionBehavior::Deferred)
            .map_err(|error| fault(path, "making a backup", error))?;
        snapshot::copy(path, &state, &target, patience, progress)?;
        snapshot::verify(path, &state, &target)?;
    }
    let placeholder = digest::placeholder()?;
    complete(&target, &record, origin, &placeholder)?;
    let sha256 = digest::fill_in(&target, &placeholder)?;
    let backup = read::read(&target)?;
    let manifest = backup
        .manifest
        .filter(|manifest| manifest.sha256 == sha256)
        .ok_or_else(|| {
            Fault::new(
                FaultKind::DataCorrupt,
                format!("the backup {file} does not read back as it was written"),
                "check the disk and the memory of this machine; the database was left as it is",
            )
        })?;
    temporary
        .persist(file)
        .map_err(|refused| Fault::io(format!("naming the backup {file}"), refused.error))?;
    open::sync_directory(parent(file))?;
    Ok(manifest)
}

fn record(path: &Utf8Path, source: &Connection) -> Result<NodeRecord, Fault> {
    match node::observe(path, source, &schema::runner()?)? {
        DatabaseState::NotInitialised => Err(no_database(path)),
        DatabaseState::Initialised(record) => match record.schema {
            SchemaState::Current | SchemaState::Behind => Ok(*record),
            state @ (SchemaState::Newer | SchemaState::Diverged) => {
                Err(migrate::refused(path, state))
            }
        },
    }
}

/// What the copy has and the database may not have yet.
fn complete(
    target: &Utf8Path,
    record: &NodeRecord,
    origin: &BackupOrigin,
    placeholder: &str,
) -> Result<(), Fault> {
    let writing = |error| fault(target, "writing the backup", error);
    let mut copy = Connection::open_with_flags(
        target,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(writing)?;
    // The file is thrown away if anything goes wrong, and synced once when all is right.
    copy.execute_batch(
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;",
    )
    .map_err(writing)?;
    // Where a key was sealed and the process died, clear bytes of it are still in the gaps.
    scrub::finish(&copy).map_err(writing)?;
    if origin.setup_completed && record.setup_completed_at.is_none() {
        node::mark_setup_completed(target, &mut copy, origin.at)?;
    }
    manifest::write(target, &mut copy, record, origin, placeholder)?;
    copy.close().map_err(|(_, error)| writing(error))
}

fn prefix(file: &Utf8Path) -> Result<String, Fault> {
    let name = file.file_name().ok_or_else(|| not_utf8(file.as_str()))?;
    Ok(format!(".{name}.backup-"))
}

/// Removes what a killed run left of a backup of this name.
fn remove_leftovers(directory: &Utf8Path, prefix: &str) -> Result<(), Fault> {
    let what = || format!("listing {directory}");
    for entry in std::fs::read_dir(directory).or_io(what)? {
        let entry = entry.or_io(what)?;
        let name = entry.file_name();
        if let Some(name) = name.to_str()
            && name.starts_with(prefix)
            && name.ends_with(SUFFIX)
        {
            std::fs::remove_file(entry.path())
                .or_io(|| format!("removing the unfinished backup {directory}/{name}"))?;
        }
    }
    Ok(())
}

fn temporary_file(file: &Utf8Path, prefix: &str) -> Result<NamedTempFile, Fault> {
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(SUFFIX)
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(parent(file))
        .or_io(|| format!("making the backup {file}"))
}

fn not_utf8(path: &str) -> Fault {
    Fault::new(
        FaultKind::Usage,
        format!("{path:?} cannot be the path of a backup"),
        "give a path with a file name",
    )
}
