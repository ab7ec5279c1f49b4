//! A restore: a checked copy beside the database, what it replaces kept, one rename.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{
    Backup, BackupError, BackupSource, FaultKind, FileError, ResultExt as _, StagedBackup,
    StoreError,
};
use rusqlite::Connection;
use time::OffsetDateTime;

use super::{manifest, read, replaced};
use crate::content::Content;
use crate::schema::APPLICATION_ID;
use crate::sqlite::connections::Connections;
use crate::sqlite::contents::{self, Rows};
use crate::sqlite::db::Db;
use crate::sqlite::directory::{nearest_directory, parent};
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::same_bytes;
use crate::sqlite::file_header::without_log;
use crate::sqlite::integrity::size;
use crate::sqlite::live_copy::plain_file;
use crate::sqlite::owner::{Owner, create_directories};
use crate::sqlite::path_state::{JOURNALS, PathState, beside, has_bytes};
use crate::sqlite::snapshot_files::Kind;
use crate::sqlite::sql_error::failed;
use crate::sqlite::{classify, integrity, open, snapshot};
use crate::watch::Watch;
use crate::{installation, schema};

/// A backup on the file system of the database, ready to take its place.
pub(crate) struct Staged {
    backup: Backup,
    draft: Draft,
    /// The database, through every symbolic link.
    path: Utf8PathBuf,
    snapshots: Utf8PathBuf,
    connections: Arc<Connections>,
    watch: Watch,
    held: Option<Held>,
}

/// The present database, which nobody can write to while this is open. Dropped in this order: see
/// [`plain_file`].
struct Held {
    _transaction: Connection,
    _file: Option<File>,
}

impl Staged {
    /// Reads the backup once, into a file without a name; nothing of the node is changed. A
    /// directory that is missing will stand on the file system of the one above it.
    pub(crate) fn of(
        source: BackupSource<'_>,
        connections: Arc<Connections>,
        snapshots: &Utf8Path,
        watch: Watch,
    ) -> Result<Self, BackupError> {
        let path = resolved(&connections.path)?;
        let (backup, draft) = taken_in(source, nearest_directory(parent(&path)), &watch)?;
        Ok(Self {
            backup,
            draft,
            path,
            snapshots: snapshots.to_owned(),
            connections,
            watch,
            held: None,
        })
    }

    /// The present database, recovered from what a dead writer left, closed for every other
    /// writer. An error of kind `DataCorrupt` says that it cannot be read.
    fn hold(&self) -> Result<Option<Connection>, BackupError> {
        if !matches!(PathState::of(&self.path, true)?, PathState::File(_)) {
            return Ok(None);
        }
        let connection = open::read_write(&self.path, self.connections.busy)?;
        let db = Db::new(&self.path, &connection);
        let holding = db.failed("closing it for writers");
        if ensure_ours(&db)? == Content::Nothing {
            return Ok(None);
        }
        integrity::check(&db)?;
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
            .map_err(&holding)?;
        if mode != "delete" {
            return Err(BackupError::KeptOpen {
                path: db.path.to_string(),
            });
        }
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(holding)?;
        Ok(Some(connection))
    }

    /// Whether the database differs by nothing but that an earlier restore was noted in it.
    fn holds_the_same(&self) -> Result<bool, BackupError> {
        let present = open::read_only(&self.path, self.connections.busy)?;
        let db = Db::new(&self.path, &present);
        match classify::identify(&db, &schema::runner()?) {
            Ok(Content::Schema(_)) => {}
            Ok(Content::Nothing) | Err(_) => return Ok(false),
        }
        let backup = self.draft.read()?;
        // The backup was found whole: where this fails, the database cannot be read, and a restore
        // is for that, too.
        Ok(contents::is_same(&db, &backup, Rows::ButRestores).unwrap_or(false))
    }

    fn keep_snapshot(&mut self, now: OffsetDateTime) -> Result<Option<String>, BackupError> {
        let Some(transaction) = self.hold()? else {
            return Ok(None);
        };
        let reader = open::read_only(&self.path, self.connections.busy)?;
        let db = Db::new(&self.path, &reader);
        let file = plain_file(&db)?;
        let (snapshots, watch) = (&self.snapshots, &self.watch);
        let made = snapshot::make(
            &db,
            file.as_ref(),
            db.path,
            snapshots,
            Kind::Replaced,
            now,
            watch,
        );
        self.held = Some(Held {
            _file: file,
            _transaction: transaction,
        });
        Ok(Some(made?.snapshot.path))
    }
}

impl StagedBackup for Staged {
    fn backup(&self) -> &Backup {
        &self.backup
    }

    fn is_in_place(&self) -> Result<bool, BackupError> {
        // Closing a file that is compared would drop the locks of a connection to it.
        self.connections.close()?;
        if !self.path.is_file() {
            return Ok(false);
        }
        for part in JOURNALS {
            if has_bytes(&beside(&self.path, part))? {
                return Ok(false);
            }
        }
        Ok(same_bytes(self.draft.file(), &self.path)? || self.holds_the_same()?)
    }

    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, BackupError> {
        // In write-ahead mode it would keep the database from being held.
        self.connections.close()?;
        match self.keep_snapshot(now) {
            // It cannot be read: a restore is for that, too.
            Err(error) if error.kind() == FaultKind::DataCorrupt => {
                self.held = None;
                let kept = replaced::keep_bytes(&self.path, &self.snapshots, now)?;
                Ok(kept.map(Utf8PathBuf::into_string))
            }
            kept => kept,
        }
    }

    fn put_in_place(self: Box<Self>) -> Result<(), BackupError> {
        let Self {
            mut draft,
            path,
            held,
            connections,
            ..
        } = *self;
        if connections.parents_allowed {
            create_directories(parent(&path), 0o700)?;
        }
        Owner::of_database(&path)?.take(draft.file(), &path)?;
        // A journal of the old database would be played back into the new one. Where the old one
        // could be opened there is none any more.
        if held.is_none() {
            replaced::remove_journals(&path)?;
        }
        draft.replace(&path)?;
        drop(held);
        Ok(())
    }
}

/// A backup in a copy in the directory, checked and ready to go back to work. The copy is what will be
/// used: it, and not the file it came from, has to be whole.
pub(crate) fn taken_in(
    source: BackupSource<'_>,
    directory: &Utf8Path,
    watch: &Watch,
) -> Result<(Backup, Draft), BackupError> {
    let name = read::name(&source);
    let name = Utf8Path::new(&name);
    let is_file = matches!(source, BackupSource::File(_));
    let mut opened;
    let stream: &mut dyn Read = match source {
        BackupSource::File(_) => {
            opened = read::naming(name, || read::open(name))?;
            &mut opened
        }
        BackupSource::Stream(stream) => stream,
    };
    let draft = Draft::within(directory)?;
    read::take_in(stream, name, &draft)?;
    let draft = draft.with_private_name()?;
    let backup = read::naming(name, || {
        let backup = read::verify_draft(&draft, name, watch)?;
        if is_file {
            read::ensure_finished(name, &backup)?;
        }
        Ok(backup)
    })?;
    make_ready(&draft, name, &backup)?;
    Ok((backup, draft))
}

/// The path through every symbolic link: a rename would replace the link.
fn resolved(path: &Utf8Path) -> Result<Utf8PathBuf, FileError> {
    match path.canonicalize_utf8() {
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(FileError::new(
            format!("looking at the database {path}"),
            error,
        )),
    }
}

/// The database that goes back to work has no manifest, and knows what that knows. The same backup
/// always becomes the same bytes, so that a restore that is run again finds its work done.
fn make_ready(draft: &Draft, name: &Utf8Path, backup: &Backup) -> Result<(), StoreError> {
    let writing = |error| failed(name, "preparing", error);
    let preparing = || format!("preparing {name}");
    let size = size(&draft.read()?).map_err(writing)?;
    draft.file().set_len(size).or_io(preparing)?;
    without_log(draft.file()).or_io(preparing)?;
    let connection = draft.edit()?;
    let db = Db::new(name, &connection);
    manifest::remove_table(&db)?;
    if let Some(at) = backup.record.setup_completed_at {
        installation::mark_setup_completed(&db.tables(), at)?;
    }
    connection.close().map_err(|(_, error)| writing(error))
}

/// Whose database stands there is asked before it is replaced: the path may be wrong.
fn ensure_ours(db: &Db<'_>) -> Result<Content, BackupError> {
    let id: i64 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(db.failed("reading"))?;
    match classify::identify(db, &schema::runner()?) {
        Err(error) if error.kind() == FaultKind::DataCorrupt && id != APPLICATION_ID => {
            Err(BackupError::NotOurs {
                source: Box::new(error),
            })
        }
        found => Ok(found?),
    }
}
