//! What a restore replaces is kept: as a snapshot, or byte for byte where it cannot be read.

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _, StoreError};
use time::OffsetDateTime;

use crate::sqlite::directory::{parent, remove_if_there, sync_directory};
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::{same_bytes, send};
use crate::sqlite::owner::Owner;
use crate::sqlite::path_state::{beside, has_bytes};
use crate::sqlite::snapshot;
use crate::sqlite::snapshot_files::{Kind, next};

/// Beside the database there may be what belongs to it. The database is the last: where its name
/// is, all is there.
const PARTS: [&str; 3] = ["-journal", "-wal", ""];
/// In place of a version in the name.
const UNREADABLE: &str = "unreadable";

/// Copies the files as they are; gives back where the database stands now.
pub(super) fn keep_bytes(
    path: &Utf8Path,
    directory: &Utf8Path,
    now: OffsetDateTime,
) -> Result<Option<Utf8PathBuf>, StoreError> {
    let mut drafts = Vec::new();
    let owner = Owner::of_database(path)?;
    for part in PARTS {
        let file = beside(path, part);
        if has_bytes(&file)? {
            owner.provide(directory)?;
            let draft = copied(&file, directory)?;
            owner.take(draft.file(), &file)?;
            drafts.push((part, draft));
        }
    }
    if drafts.is_empty() {
        return Ok(None);
    }
    // A restore that was killed has kept them already.
    if let Some(newest) = snapshot::newest(directory, Kind::Replaced)?
        && is_of(&newest, &drafts)?
    {
        return Ok(Some(newest));
    }
    loop {
        let kept = next(directory, Kind::Replaced, Some(UNREADABLE), now)?;
        if publish(&kept, &mut drafts)? {
            return Ok(Some(kept));
        }
    }
}

fn copied(file: &Utf8Path, directory: &Utf8Path) -> Result<Draft, StoreError> {
    let what = || format!("keeping {file} in {directory}");
    let source = std::fs::File::open(file).or_io(what)?;
    let draft = Draft::within(directory)?;
    send(&source, &mut draft.file()).or_io(what)?;
    Ok(draft)
}

/// Whether what is kept there are these very files.
fn is_of(kept: &Utf8Path, drafts: &[(&str, Draft)]) -> Result<bool, FileError> {
    for part in PARTS {
        let there = beside(kept, part);
        let is_same = match drafts.iter().find(|(of, _)| *of == part) {
            Some((_, draft)) => there.exists() && same_bytes(draft.file(), &there)?,
            None => !there.exists(),
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `false` where a name is taken: by a part that a restore has left which was killed.
fn publish(kept: &Utf8Path, drafts: &mut [(&str, Draft)]) -> Result<bool, StoreError> {
    for (part, draft) in drafts {
        if !draft.publish(&beside(kept, part))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what belongs to a database that is about to be replaced and could not be recovered.
pub(super) fn remove_journals(path: &Utf8Path) -> Result<(), FileError> {
    let mut removed = false;
    for part in ["-journal", "-wal", "-shm"] {
        let file = beside(path, part);
        removed |= remove_if_there(&file).or_io(|| format!("removing {file}"))?;
    }
    if removed {
        sync_directory(parent(path))?;
    }
    Ok(())
}
