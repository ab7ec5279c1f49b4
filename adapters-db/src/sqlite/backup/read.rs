//! Reading a backup: whose it is, whether it is whole, what it says. Nothing is changed, and no
//! file beside it is looked at.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::thread;

use camino::Utf8Path;
use ports::{Backup, BackupError, BackupManifest, BackupSource, FileError, ResultExt as _};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use super::{digest, manifest};
use crate::schema::APPLICATION_ID;
use crate::sqlite::classify::identify;
use crate::sqlite::db::Db;
use crate::sqlite::directory::nearest_directory;
use crate::sqlite::draft::{Draft, open_same};
use crate::sqlite::file_bytes::{self, StreamError, open_file, read_at};
use crate::sqlite::file_header::{MAGIC, SIZES_END, stated_size};
use crate::sqlite::integrity::{self, size};
use crate::sqlite::live_copy::thread_died;
use crate::sqlite::open::distrust;
use crate::sqlite::path_state::{JOURNALS, beside, has_bytes};
use crate::sqlite::sql_error::failed;
use crate::watch::Watch;
use crate::{node, schema};

/// What a stream is called.
const STREAM: &str = "standard input";
/// Far more than any manifest has.
const LONGEST_MANIFEST: u64 = 1 << 20;
const FOREIGN: &str = "it is no SQLite database";

/// Opens it for reading; what is no regular file is none.
pub(super) fn open(path: &Utf8Path) -> Result<File, BackupError> {
    match open_file(path, OFlags::empty()) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(wrong("it is no regular file"))
        }
        opened => Ok(opened.or_io(|| format!("opening {path}"))?),
    }
}

/// Reads a backup and makes sure that it is whole.
pub(crate) fn read(
    source: BackupSource<'_>,
    snapshots: &Utf8Path,
    watch: &Watch,
) -> Result<Backup, BackupError> {
    match source {
        BackupSource::File(path) => {
            let path = Utf8Path::new(path);
            naming(path, || {
                let file = open(path)?;
                ensure_sqlite(&file, path)?;
                let absolute = camino::absolute_utf8(path).or_io(|| format!("opening {path}"))?;
                // Immutable: no lock is taken, and no journal that happens to stand beside it is
                // played back.
                let access = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let connection = open_same(&file, &absolute, "immutable=1", access)?;
                let backup = verify(path, &file, connection, watch)?;
                ensure_finished(path, &backup)?;
                Ok(backup)
            })
        }
        BackupSource::Stream(stream) => {
            let name = Utf8Path::new(STREAM);
            let draft = Draft::within(nearest_directory(snapshots))?;
            take_in(stream, name, &draft)?;
            naming(name, || verify_draft(&draft, name, watch))
        }
    }
}

/// What the operator calls the backup.
pub(super) fn name(source: &BackupSource<'_>) -> String {
    match source {
        BackupSource::File(file) => (*file).to_owned(),
        BackupSource::Stream(_) => STREAM.to_owned(),
    }
}

/// Takes a stream in: a database and its manifest, and no more than that.
pub(super) fn take_in(
    stream: &mut dyn Read,
    name: &Utf8Path,
    draft: &Draft,
) -> Result<(), BackupError> {
    let refused = |why: &str| naming(name, || Err(wrong(why)));
    let mut head = Vec::new();
    for up_to in [MAGIC.len(), SIZES_END] {
        let more = (up_to - head.len()) as u64;
        let read = Read::take(&mut *stream, more).read_to_end(&mut head);
        read.or_io(|| format!("reading the backup {name}"))?;
        if !head.starts_with(MAGIC) {
            return refused(FOREIGN);
        }
    }
    let most = stated_size(&head) + LONGEST_MANIFEST;
    let mut stream = head.as_slice().chain(stream).take(most + 1);
    let length = file_bytes::take_in(&mut stream, draft.file()).map_err(|error| match error {
        StreamError::Reading(error) => FileError::new(format!("reading the backup {name}"), error),
        StreamError::Writing(error) => FileError::new(format!("copying the backup {name}"), error),
    })?;
    if length > most {
        return refused(&format!(
            "it is longer than it says: its header tells of {} bytes",
            stated_size(&head)
        ));
    }
    Ok(())
}

/// Makes sure that the copy of a backup is whole.
pub(super) fn verify_draft(
    draft: &Draft,
    name: &Utf8Path,
    watch: &Watch,
) -> Result<Backup, BackupError> {
    ensure_sqlite(draft.file(), name)?;
    verify(name, draft.file(), draft.read()?, watch)
}

/// An error of `act` names the backup.
pub(super) fn naming<T>(
    name: &Utf8Path,
    act: impl FnOnce() -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    act().map_err(|error| BackupError::Refused {
        name: name.to_string(),
        source: Box::new(error),
    })
}

fn verify(
    name: &Utf8Path,
    file: &File,
    mut connection: Connection,
    watch: &Watch,
) -> Result<Backup, BackupError> {
    let bytes = file
        .metadata()
        .or_io(|| format!("looking at the backup {name}"))?
        .len();
    distrust(&mut connection, bytes).map_err(|error| failed(name, "reading", error))?;
    let db = Db::new(name, &connection);
    ensure_application(&db)?;
    let (manifest, digested) = manifest_of(&db, file)?;
    // Both read the whole file: side by side.
    let (damage, digest) = thread::scope(|scope| {
        let digest = manifest.as_ref().map(|manifest| {
            scope.spawn(|| match digested {
                Some(end) => {
                    let mut progress = watch.of("checking the backup");
                    Ok(digest::up_to(file, end, &mut progress)? == manifest.sha256)
                }
                None => digest::is_right_within(file, &manifest.sha256),
            })
        });
        (
            integrity::damage(&db, "integrity_check"),
            digest.map(thread::ScopedJoinHandle::join),
        )
    });
    if let Some(digest) = digest
        && !digest
            .map_err(|_| thread_died())?
            .or_io(|| format!("reading the backup {name}"))?
    {
        return Err(wrong(
            "its SHA-256 is not the one in its manifest: it was altered, or damaged",
        ));
    }
    if let Some(damage) = damage.map_err(db.failed("reading"))? {
        return Err(wrong(format!("it is damaged: {damage}")));
    }
    // Whatever else the schema has than ours is refused where the schema is identified.
    let found = identify(&db, &schema::runner()?)?.ensure_known(name)?;
    let Some(mut record) = node::record(&db.tables(), found)? else {
        return Err(wrong("it is an empty database"));
    };
    // The manifest may know of a setup that the database was still to be told of (C9).
    if let Some(manifest) = &manifest
        && manifest.setup_completed
    {
        record.setup_completed_at.get_or_insert(manifest.created_at);
    }
    let schema = manifest::newest_migration(&db.tables())?;
    Ok(Backup {
        manifest,
        schema,
        record,
    })
}

/// The manifest, and how many bytes its digest is of: all of them in the format 1.
fn manifest_of(
    db: &Db<'_>,
    file: &File,
) -> Result<(Option<BackupManifest>, Option<u64>), BackupError> {
    let size = size(db).map_err(db.failed("reading"))?;
    let length = file
        .metadata()
        .or_io(|| format!("looking at {}", db.path))?
        .len();
    match length.cmp(&size) {
        Ordering::Less => Err(wrong(format!(
            "it has {length} bytes and should have {size}"
        ))),
        Ordering::Equal => Ok((manifest::read_table(db)?, None)),
        Ordering::Greater => {
            let (manifest, digested) = manifest::read_after(file, size)?;
            Ok((Some(manifest), Some(digested)))
        }
    }
}

fn ensure_sqlite(file: &File, name: &Utf8Path) -> Result<(), BackupError> {
    let mut magic = [0; MAGIC.len()];
    let count = read_at(file, &mut magic, 0).or_io(|| format!("reading {name}"))?;
    if count == MAGIC.len() && magic == *MAGIC {
        return Ok(());
    }
    Err(wrong(FOREIGN))
}

fn ensure_application(db: &Db<'_>) -> Result<(), BackupError> {
    let id: i64 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(db.failed("reading"))?;
    if id == APPLICATION_ID {
        return Ok(());
    }
    Err(wrong(format!(
        "it belongs to another application (application id {id:#010x})"
    )))
}

/// A database that somebody is writing to, or whose writer has died, is no snapshot: what stands
/// beside it belongs to it.
pub(super) fn ensure_finished(file: &Utf8Path, backup: &Backup) -> Result<(), BackupError> {
    if backup.manifest.is_some() {
        return Ok(());
    }
    for part in JOURNALS {
        let part = beside(file, part);
        if has_bytes(&part)? {
            return Err(wrong(format!(
                "it has no manifest, and {part} beside it says that it is not a finished copy"
            )));
        }
    }
    Ok(())
}

fn wrong(why: impl Into<String>) -> BackupError {
    BackupError::Wrong {
        why: why.into(),
        source: None,
    }
}
