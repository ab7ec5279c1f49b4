//! A consistent, verified copy of the database before it is migrated (C15), or replaced.

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, MadeSnapshot, ResultExt as _, Snapshot, StoreError};
use time::OffsetDateTime;

use crate::node;
use crate::sqlite::db::Db;
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::same_bytes;
use crate::sqlite::live_copy;
use crate::sqlite::owner::Owner;
use crate::sqlite::snapshot_files::{Kind, SnapshotFile, list, next, version_inside};
use crate::watch::Watch;

const KEPT: usize = 5;

/// Makes the snapshot; `file` is the database's [`live_copy::plain_file`]. It belongs to who owns what
/// stands at `beside`. No second one is made where the newest of its kind is of this very state.
pub(crate) fn make(
    db: &Db<'_>,
    file: Option<&File>,
    beside: &Utf8Path,
    directory: &Utf8Path,
    kind: Kind,
    now: OffsetDateTime,
    watch: &Watch,
) -> Result<MadeSnapshot, StoreError> {
    let owner = Owner::of_database(beside)?;
    owner.provide(directory)?;
    let mut draft = Draft::within(directory)?;
    let mut progress = watch.of("copying the database to a snapshot");
    let copied = live_copy::copy(db, file, &draft, &mut progress, |state| {
        Ok(node::version(&state.tables()))
    })?;
    let version = copied.read;
    if let Some(newest) = newest(directory, kind)?
        && same_bytes(draft.file(), &newest)?
    {
        let path = newest.into_string();
        return Ok(MadeSnapshot {
            snapshot: Snapshot { path, version },
            is_new: false,
            removed: Vec::new(),
        });
    }
    owner.take(draft.file(), directory)?;
    let kept = publish(&mut draft, directory, kind, version.as_deref(), now)?;
    let removed = match kind {
        Kind::Upgrade => prune(directory, &kept)?,
        Kind::Replaced => Vec::new(),
    };
    let path = kept.into_string();
    Ok(MadeSnapshot {
        snapshot: Snapshot { path, version },
        is_new: true,
        removed,
    })
}

/// The snapshots, newest first.
pub(crate) fn all(directory: &Utf8Path) -> Result<Vec<Snapshot>, FileError> {
    Ok(list(directory)?
        .into_iter()
        .map(|SnapshotFile { path, .. }| Snapshot {
            version: version_inside(&path),
            path: path.into_string(),
        })
        .collect())
}

/// The newest of this kind.
pub(crate) fn newest(directory: &Utf8Path, kind: Kind) -> Result<Option<Utf8PathBuf>, FileError> {
    let files = list(directory)?;
    let newest = files.into_iter().find(|file| file.kind == kind);
    Ok(newest.map(|file| file.path))
}

/// Gives the finished file its name: the next number of its second, so that names are in the order
/// in which they were given.
fn publish(
    draft: &mut Draft,
    directory: &Utf8Path,
    kind: Kind,
    version: Option<&str>,
    now: OffsetDateTime,
) -> Result<Utf8PathBuf, StoreError> {
    loop {
        let path = next(directory, kind, version, now)?;
        if draft.publish(&path)? {
            return Ok(path);
        }
    }
}

/// Removes the oldest that were made before an upgrade; never the one just made, whatever the
/// clock says of it. Returns what it removed.
fn prune(directory: &Utf8Path, made: &Utf8Path) -> Result<Vec<String>, FileError> {
    let others = list(directory)?
        .into_iter()
        .filter(|file| file.kind == Kind::Upgrade && file.path != made);
    others
        .skip(KEPT - 1)
        .map(|SnapshotFile { path, .. }| {
            std::fs::remove_file(&path).or_io(|| format!("removing the old snapshot {path}"))?;
            Ok(path.into_string())
        })
        .collect()
}
