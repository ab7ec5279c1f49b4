//! What a restore replaces is kept: as a snapshot, or byte for byte where it cannot be read.

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt as _};
use time::OffsetDateTime;

use crate::look::{beside, has_bytes};
use crate::open;
use crate::snapshot_files::{compact, same_bytes};

/// Beside the database there may be what belongs to it.
const PARTS: [&str; 3] = ["", "-journal", "-wal"];

/// Copies the files as they are; gives back where the database stands now.
pub(super) fn keep_bytes(
    path: &Utf8Path,
    directory: &Utf8Path,
    now: OffsetDateTime,
) -> Result<Option<Utf8PathBuf>, Fault> {
    let mut parts = Vec::new();
    for part in PARTS {
        if has_bytes(&beside(path, part))? {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    open::create_directories(directory, 0o700)?;
    let name = name(now);
    for number in 0.. {
        let number = if number == 0 {
            String::new()
        } else {
            format!("-{number}")
        };
        let kept = directory.join(format!("{name}{number}.db"));
        match keep_as(path, &kept, &parts) {
            Ok(()) => {
                open::sync_directory(directory)?;
                return Ok(Some(kept));
            }
            Err(Kept::Taken) => {}
            Err(Kept::Failed(fault)) => return Err(fault),
        }
    }
    Err(Fault::new(
        FaultKind::Internal,
        format!("no name for the replaced database in {directory}"),
        "this is a defect of the program; report it with this message",
    ))
}

/// `replaced-yyyymmddThhmmssZ`: no snapshot's name, so that it is never pruned with them.
fn name(now: OffsetDateTime) -> String {
    format!("replaced-{}", compact(now))
}

enum Kept {
    Taken,
    Failed(Fault),
}

fn keep_as(path: &Utf8Path, kept: &Utf8Path, parts: &[&str]) -> Result<(), Kept> {
    let is_taken = PARTS.iter().any(|part| beside(kept, part).exists());
    if is_taken && !is_the_same(path, kept, parts).map_err(Kept::Failed)? {
        return Err(Kept::Taken);
    }
    if is_taken {
        // Of a restore that was killed.
        return Ok(());
    }
    for part in parts {
        copy(&beside(path, part), &beside(kept, part)).map_err(Kept::Failed)?;
    }
    Ok(())
}

fn is_the_same(path: &Utf8Path, kept: &Utf8Path, parts: &[&str]) -> Result<bool, Fault> {
    for part in parts {
        let (ours, theirs) = (beside(path, part), beside(kept, part));
        if !theirs.exists() || !same_bytes(&ours, &theirs)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<(), Fault> {
    let what = || format!("keeping {from} as {to}");
    let mut source = std::fs::File::open(from).or_io(what)?;
    let mut target = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .or_io(what)?;
    std::io::copy(&mut source, &mut target).or_io(what)?;
    target.sync_all().or_io(what)
}

/// Removes what belongs to a database that is about to be replaced and could not be recovered.
pub(super) fn remove_beside(path: &Utf8Path) -> Result<(), Fault> {
    let mut removed = false;
    for part in ["-journal", "-wal", "-shm"] {
        let file = beside(path, part);
        match std::fs::remove_file(&file) {
            Ok(()) => removed = true,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::io(format!("removing {file}"), error)),
        }
    }
    if removed {
        open::sync_directory(crate::sql_error::parent(path))?;
    }
    Ok(())
}
