//! Making a backup of a live database.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::thread;

use camino::Utf8Path;
use ports::{
    BackupError, BackupManifest, BackupOrigin, BackupTarget, NodeRecord, ResultExt as _, StoreError,
};

use super::digest::{Digest, Written};
use super::{manifest, own};
use crate::content::not_initialised;
use crate::sqlite::classify::identify;
use crate::sqlite::db::Db;
use crate::sqlite::directory::{kind_of, nearest_directory, parent};
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::{copy_as_it_is, send};
use crate::sqlite::file_header::{number, stated_size};
use crate::sqlite::integrity::{check, check_pages, size};
use crate::sqlite::live_copy::{self, Copied, plain_file, thread_died};
use crate::sqlite::scrub;
use crate::sqlite::sql_error::failed;
use crate::watch::Watch;
use crate::{node, schema};

/// Copies, writes the manifest, reads the result back, and gives it its name or sends it on. What
/// stands at `beside`, or belongs to it, is never overwritten.
pub(crate) fn create(
    db: &Db<'_>,
    beside: &Utf8Path,
    snapshots: &Utf8Path,
    target: BackupTarget<'_>,
    origin: &BackupOrigin,
    watch: &Watch,
) -> Result<BackupManifest, BackupError> {
    let path = db.path;
    let place = match &target {
        BackupTarget::New(file) => {
            own::ensure_not_own(Utf8Path::new(file), beside)?;
            ensure_free(Utf8Path::new(file))?;
            parent(Utf8Path::new(file))
        }
        BackupTarget::Replace(file) => {
            own::ensure_not_own(Utf8Path::new(file), beside)?;
            ensure_regular(Utf8Path::new(file))?;
            parent(Utf8Path::new(file))
        }
        BackupTarget::Stream(_) => nearest_directory(snapshots),
    };
    // What cannot be backed up is found out before the long part of the work.
    {
        let state = db.begin_reading()?;
        let db = Db::new(path, &state);
        check(&db)?;
        record(&db)?;
    }
    let draft = Draft::within(place)?;
    let (copied, digest) = copy(db, &draft, &mut watch.of("copying the database"), |state| {
        let due = scrub::is_due(state).map_err(state.failed("reading"))?;
        let lines = manifest::lines(state, &record(state)?, origin)?;
        Ok((lines, due))
    })?;
    let (lines, is_scrub_due) = copied.read;
    let (mut draft, size, digest) = if is_scrub_due {
        let (draft, size) = scrubbed(path, draft)?;
        (draft, size, Digest::new())
    } else {
        (draft, copied.size, digest)
    };
    ensure_counted(path, draft.file(), size)?;
    let manifest = manifest::append(&draft, size, &lines, digest)?;
    match target {
        BackupTarget::New(file) => {
            let file = Utf8Path::new(file);
            if !draft.publish(file)? {
                return Err(exists(file));
            }
        }
        BackupTarget::Replace(file) => draft.replace(Utf8Path::new(file))?,
        BackupTarget::Stream(stream) => {
            send(draft.file(), stream).or_io(|| "writing the backup to standard output")?
        }
    }
    Ok(manifest)
}

/// Copies, and takes the digest meanwhile, of nothing where the copy was put right afterwards.
fn copy<T>(
    db: &Db<'_>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
    read: impl FnOnce(&Db<'_>) -> Result<T, StoreError>,
) -> Result<(Copied<T>, Digest), StoreError> {
    let file = plain_file(db)?;
    let written = Written::default();
    let (copied, digest) = thread::scope(|scope| {
        let digest = scope.spawn(|| written.follow(draft.file()));
        let end = written.until_dropped();
        let mut progress = |done, total| {
            written.reaches(done);
            progress(done, total);
        };
        let copied = live_copy::copy(db, file.as_ref(), draft, &mut progress, read);
        drop(end);
        (copied, digest.join())
    });
    let copied = copied?;
    if !copied.as_written {
        return Ok((copied, Digest::new()));
    }
    let digest = digest.map_err(|_| thread_died())?;
    let digest = digest.or_io(|| draft.copying(db.path))?;
    let is_of_it = digest.place() == copied.size;
    Ok((copied, if is_of_it { digest } else { Digest::new() }))
}

/// The record of a database that can be backed up.
fn record(db: &Db<'_>) -> Result<NodeRecord, StoreError> {
    let found = identify(db, &schema::runner()?)?.ensure_known(db.path)?;
    node::record(&db.tables(), found)?.ok_or_else(|| not_initialised(db.path))
}

/// Where a key was sealed and the process died, clear bytes of it are still in the gaps. What
/// SQLite has rebuilt is copied, since it cannot get a name any more.
fn scrubbed(path: &Utf8Path, copy: Draft) -> Result<(Draft, u64), StoreError> {
    let connection = copy.edit()?;
    let db = Db::new(path, &connection);
    let writing = |error| failed(path, "rebuilding a copy", error);
    scrub::finish(&db).map_err(writing)?;
    check_pages(&db)?;
    let size = size(&db).map_err(writing)?;
    connection.close().map_err(|(_, error)| writing(error))?;
    let draft = copy.another()?;
    copy_as_it_is(copy.file(), draft.file(), &mut |_, _| ()).or_io(|| draft.copying(path))?;
    Ok((draft, size))
}

/// A SQLite before 3.7 leaves the number of pages in the header as it was: every reader would take
/// the manifest for a page.
fn ensure_counted(path: &Utf8Path, file: &File, size: u64) -> Result<(), BackupError> {
    let mut header = [0; 100];
    file.read_exact_at(&mut header, 0)
        .or_io(|| format!("reading a copy of the database {path}"))?;
    let is_counted = number(&header, 24..28) == number(&header, 92..96);
    if is_counted && stated_size(&header) == size {
        return Ok(());
    }
    Err(BackupError::PagesNotCounted {
        path: path.to_string(),
    })
}

/// Said before the long part of the work; whether the name is free is decided when it is given.
fn ensure_free(file: &Utf8Path) -> Result<(), BackupError> {
    match kind_of(file)? {
        None => Ok(()),
        Some(_) => Err(exists(file)),
    }
}

fn exists(file: &Utf8Path) -> BackupError {
    BackupError::Exists {
        file: file.to_string(),
    }
}

/// A directory, a device or a pipe is nothing that a backup takes the place of.
fn ensure_regular(file: &Utf8Path) -> Result<(), BackupError> {
    match kind_of(file)? {
        Some(kind) if !kind.is_file() && !kind.is_symlink() => Err(BackupError::NoRegularFile {
            file: file.to_string(),
        }),
        Some(_) | None => Ok(()),
    }
}
