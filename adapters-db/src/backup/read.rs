//! Reading a backup: whose it is, whether it is whole, what it says. Nothing is changed, and no
//! file beside it is looked at.

use std::fs::File;
use std::io::{ErrorKind, Read as _};

use camino::Utf8Path;
use domain::SchemaState;
use ports::{Backup, BackupPlace, DatabaseState, Fault, FaultKind, ResultExt as _};
use rusqlite::{Connection, OpenFlags};

use super::{digest, manifest};
use crate::look::{beside, has_bytes};
use crate::schema::APPLICATION_ID;
use crate::snapshot_files::escaped;
use crate::sql_error::fault;
use crate::{migrate, node, schema};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What stands at the path.
pub(super) fn place(file: &Utf8Path) -> Result<BackupPlace, Fault> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BackupPlace::Free),
        Err(error) => return Err(Fault::io(format!("looking at {file}"), error)),
        Ok(metadata) if !metadata.is_file() => return Ok(BackupPlace::Other),
        Ok(_) => {}
    }
    // A damaged backup is one too, as long as it shows a manifest.
    let is_backup = is_sqlite(file)?
        && open(file).is_ok_and(|connection| matches!(manifest::is_there(&connection), Ok(true)));
    Ok(if is_backup {
        BackupPlace::Backup
    } else {
        BackupPlace::Other
    })
}

/// Reads it and proves it whole.
pub(super) fn read(file: &Utf8Path) -> Result<Backup, Fault> {
    prove(file).map_err(|fault| {
        let message = match fault.kind() {
            FaultKind::DataCorrupt | FaultKind::VersionDowngrade => {
                format!("the backup {file} is refused: {fault}")
            }
            _ => format!("the backup {file} cannot be read: {fault}"),
        };
        let hint = match fault.kind() {
            FaultKind::DataCorrupt => {
                "use another backup or a snapshot; nothing was changed".to_owned()
            }
            _ => fault.hint().to_owned(),
        };
        Fault::new(fault.kind(), message, hint).because(fault)
    })
}

fn prove(file: &Utf8Path) -> Result<Backup, Fault> {
    if !is_sqlite(file)? {
        return Err(corrupt("it is no SQLite database"));
    }
    let connection = open(file)?;
    refuse_foreign(file, &connection)?;
    refuse_cut(file, &connection)?;
    let manifest = manifest::read(file, &connection)?;
    if manifest.is_none() {
        refuse_unfinished(file)?;
    }
    if let Some(manifest) = &manifest
        && !digest::is_right(file, &manifest.sha256)?
    {
        return Err(corrupt(
            "its SHA-256 is not the one in its manifest: it was altered, or damaged",
        ));
    }
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| unreadable(file, error))?;
    if verdict != "ok" {
        return Err(corrupt(&format!("it is damaged: {verdict}")));
    }
    let record = match node::observe(file, &connection, &schema::runner()?)? {
        DatabaseState::Initialised(record) => *record,
        DatabaseState::NotInitialised => return Err(corrupt("it is an empty database")),
    };
    match record.schema {
        SchemaState::Current | SchemaState::Behind => Ok(Backup { manifest, record }),
        state @ (SchemaState::Newer | SchemaState::Diverged) => Err(migrate::refused(file, state)),
    }
}

fn is_sqlite(file: &Utf8Path) -> Result<bool, Fault> {
    let what = || format!("opening {file}");
    if !std::fs::metadata(file).or_io(what)?.is_file() {
        return Ok(false);
    }
    let mut magic = Vec::with_capacity(MAGIC.len());
    File::open(file)
        .or_io(what)?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .or_io(what)?;
    Ok(magic == MAGIC)
}

/// Immutable: no lock is taken, and no journal that happens to stand beside it is played back.
fn open(file: &Utf8Path) -> Result<Connection, Fault> {
    let absolute = camino::absolute_utf8(file).or_io(|| format!("opening {file}"))?;
    let connection = Connection::open_with_flags(
        format!("file:{}?immutable=1", escaped(&absolute)),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| unreadable(file, error))?;
    connection
        .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")
        .map_err(|error| unreadable(file, error))?;
    Ok(connection)
}

fn refuse_foreign(file: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| unreadable(file, error))?;
    if id == APPLICATION_ID {
        return Ok(());
    }
    Err(corrupt(&format!(
        "it belongs to another application (application id {id:#010x})"
    )))
}

fn refuse_cut(file: &Utf8Path, connection: &Connection) -> Result<(), Fault> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    let expected = number("page_count")
        .and_then(|pages| Ok(pages.saturating_mul(number("page_size")?)))
        .map_err(|error| unreadable(file, error))?;
    let length = std::fs::metadata(file)
        .or_io(|| format!("looking at {file}"))?
        .len();
    if i64::try_from(length) == Ok(expected) {
        return Ok(());
    }
    Err(corrupt(&format!(
        "it has {length} bytes and should have {expected}"
    )))
}

/// A database that somebody is writing to, or whose writer has died, is no snapshot: what stands
/// beside it belongs to it.
fn refuse_unfinished(file: &Utf8Path) -> Result<(), Fault> {
    for part in ["-journal", "-wal"] {
        let part = beside(file, part);
        if has_bytes(&part)? {
            return Err(corrupt(&format!(
                "it has no manifest, and {part} beside it says that it is not a finished copy"
            )));
        }
    }
    Ok(())
}

fn unreadable(file: &Utf8Path, error: rusqlite::Error) -> Fault {
    fault(file, "reading", error)
}

fn corrupt(why: &str) -> Fault {
    Fault::new(FaultKind::DataCorrupt, why, "use another backup")
}
