//! A restore: a checked copy beside the database, what it replaces kept, one rename.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Backup, Fault, FaultKind, ResultExt as _, StagedBackup};
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;
use time::OffsetDateTime;

use super::{manifest, read, replaced};
use crate::classify::Found;
use crate::look::{beside, has_bytes};
use crate::schema::APPLICATION_ID;
use crate::snapshot_files::same_bytes;
use crate::sql_error::{fault, parent};
use crate::{classify, look, open, schema, snapshot};

/// A backup beside the database, ready to take its place.
pub(super) struct Staged {
    backup: Backup,
    temporary: NamedTempFile,
    /// The database, through every symbolic link.
    path: Utf8PathBuf,
    snapshots: Utf8PathBuf,
    busy: Duration,
    in_place: bool,
    /// The present database, which nobody can write to while this is open.
    held: Option<Connection>,
}

impl Staged {
    pub(super) fn of(
        file: &Utf8Path,
        path: &Utf8Path,
        snapshots: &Utf8Path,
        create_parents: bool,
        busy: Duration,
    ) -> Result<Self, Fault> {
        let path = resolved(path)?;
        let directory = parent(&path);
        if create_parents {
            open::create_directories(directory, 0o700)?;
        }
        let prefix = format!(".{}.restore-", path.file_name().unwrap_or("database"));
        remove_leftovers(directory, &prefix)?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(directory)
            .or_io(|| format!("making a copy of the backup {file} in {directory}"))?;
        let copy = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).map_err(|_| {
            Fault::new(
                FaultKind::Config,
                format!("the directory {directory} is not UTF-8"),
                "configure another database.path",
            )
        })?;
        let mut source = std::fs::File::open(file).or_io(|| format!("opening {file}"))?;
        std::io::copy(&mut source, &mut temporary.as_file())
            .or_io(|| format!("copying the backup {file} to {directory}"))?;
        // The copy is what will be used: it, and not the file it came from, has to be whole.
        let backup = read::read(&copy).map_err(|fault| name_instead(fault, &copy, file))?;
        make_ready(&copy)?;
        temporary
            .as_file()
            .sync_all()
            .or_io(|| format!("syncing {copy}"))?;
        let in_place = is_exactly(&path, &copy)?;
        Ok(Self {
            backup,
            temporary,
            path,
            snapshots: snapshots.to_owned(),
            busy,
            in_place,
            held: None,
        })
    }

    /// The present database, recovered from what a dead writer left, closed for every other
    /// writer. An error of kind `DataCorrupt` says that it cannot be read.
    fn hold(&self) -> Result<Option<Connection>, Fault> {
        let found = look::look(&self.path, true)?;
        if !matches!(found, look::Sight::File(_)) {
            return Ok(None);
        }
        let holding = |error| fault(&self.path, "closing it for writers", error);
        let connection = open::read_write(&self.path, self.busy)?;
        if refuse_foreign(&self.path, &connection)? == Found::Nothing {
            return Ok(None);
        }
        classify::check(&self.path, &connection)?;
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
            .map_err(holding)?;
        if mode != "delete" {
            return Err(Fault::new(
                FaultKind::DatabaseUnavailable,
                format!("another process keeps the database {} open", self.path),
                "stop the application, then restore again",
            ));
        }
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(holding)?;
        Ok(Some(connection))
    }
}

impl StagedBackup for Staged {
    fn backup(&self) -> &Backup {
        &self.backup
    }

    fn is_in_place(&self) -> bool {
        self.in_place
    }

    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, Fault> {
        match self.hold() {
            Ok(None) => Ok(None),
            Ok(Some(held)) => {
                let reader = open::read_only(&self.path, self.busy)?;
                let made = snapshot::make(&self.path, &reader, &self.snapshots, now, self.busy)?;
                self.held = Some(held);
                let kept = match made {
                    Some(snapshot) => Some(snapshot.path),
                    // The newest is of this very state.
                    None => snapshot::all(&self.snapshots)?
                        .into_iter()
                        .next()
                        .map(|snapshot| snapshot.path),
                };
                Ok(kept)
            }
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => {
                let kept = replaced::keep_bytes(&self.path, &self.snapshots, now)?;
                Ok(kept.map(Utf8PathBuf::into_string))
            }
            Err(fault) => Err(fault),
        }
    }

    fn put_in_place(self: Box<Self>) -> Result<(), Fault> {
        let Self {
            temporary,
            path,
            held,
            ..
        } = *self;
        // A journal of the old database would be played back into the new one. Where the old one
        // could be opened there is none any more.
        if held.is_none() {
            replaced::remove_beside(&path)?;
        }
        temporary
            .persist(&path)
            .map_err(|refused| Fault::io(format!("replacing {path}"), refused.error))?;
        open::sync_directory(parent(&path))?;
        drop(held);
        Ok(())
    }
}

/// The path through every symbolic link: a rename would replace the link.
fn resolved(path: &Utf8Path) -> Result<Utf8PathBuf, Fault> {
    match path.canonicalize_utf8() {
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(Fault::io(format!("looking at the database {path}"), error)),
    }
}

/// Removes what a restore that was killed left beside the database.
fn remove_leftovers(directory: &Utf8Path, prefix: &str) -> Result<(), Fault> {
    let what = || format!("listing {directory}");
    for entry in std::fs::read_dir(directory).or_io(what)? {
        let entry = entry.or_io(what)?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(prefix))
        {
            std::fs::remove_file(entry.path())
                .or_io(|| format!("removing {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The database that goes back to work has no manifest. The same backup always becomes the same
/// bytes, so that a restore that is run again finds its work done.
fn make_ready(copy: &Utf8Path) -> Result<(), Fault> {
    let writing = |error| fault(copy, "preparing", error);
    let connection = Connection::open_with_flags(
        copy,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(writing)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;",
        )
        .map_err(writing)?;
    manifest::remove(copy, &connection)?;
    connection.close().map_err(|(_, error)| writing(error))
}

fn is_exactly(path: &Utf8Path, copy: &Utf8Path) -> Result<bool, Fault> {
    if !path.is_file() {
        return Ok(false);
    }
    for part in ["-journal", "-wal"] {
        if has_bytes(&beside(path, part))? {
            return Ok(false);
        }
    }
    same_bytes(path, copy)
}

/// The operator named the backup, not the copy of it.
fn name_instead(fault: Fault, copy: &Utf8Path, file: &Utf8Path) -> Fault {
    let message = fault.to_string().replace(copy.as_str(), file.as_str());
    Fault::new(fault.kind(), message, fault.hint().to_owned()).because(fault)
}

/// Whose database stands there is asked before it is replaced: the path may be wrong.
fn refuse_foreign(path: &Utf8Path, connection: &Connection) -> Result<Found, Fault> {
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| fault(path, "reading", error))?;
    let found = classify::identify(path, connection, &schema::runner()?);
    match found {
        Err(fault) if fault.kind() == FaultKind::DataCorrupt && id != APPLICATION_ID => {
            let message = format!("{fault}; it is not replaced");
            Err(Fault::new(
                FaultKind::Config,
                message,
                "correct database.path, or move that file away",
            )
            .because(fault))
        }
        found => found,
    }
}
