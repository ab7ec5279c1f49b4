//! Files in memory for the private copy of a database (see `private_copy.rs`): without a name, but for the
//! moment in which SQLite opens them.

use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _, StoreError};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat, statfs};
use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::sqlite::directory::{link, unnamed_file};
use crate::sqlite::space;

/// In front of the name of every private directory.
const PREFIX: &str = "trustpointctl-database-";
/// The name of the database in it.
const NAME: &str = "copy.db";
/// Magic numbers of the file systems in memory (statfs(2)).
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
const TRIES: usize = 5;

/// No key may reach a disk by way of a copy.
fn is_memory(place: &Path) -> bool {
    // The field's type differs between architectures; every magic number has 32 bits.
    statfs(place).is_ok_and(|stat| matches!(stat.f_type as u32, TMPFS | RAMFS))
}

fn candidates() -> [PathBuf; 3] {
    ["/dev/shm".into(), "/run".into(), std::env::temp_dir()]
}

/// A directory in memory with space for so many bytes.
pub(crate) fn place_for(path: &Utf8Path, bytes: u64) -> Result<PathBuf, StoreError> {
    let mut tried = Vec::new();
    for place in candidates() {
        match unfit(&place, bytes) {
            None => return Ok(place),
            Some(why) => tried.push(format!("{} {why}", place.display())),
        }
    }
    Err(StoreError::NoSpaceInMemory {
        path: path.to_string(),
        needed: bytes,
        tried: tried.join("; "),
    })
}

/// Why a copy cannot be made there.
fn unfit(place: &Path, bytes: u64) -> Option<String> {
    if !is_memory(place) {
        return Some("is no tmpfs".to_owned());
    }
    let free = match space::free(place) {
        Ok(free) => free,
        Err(error) => return Some(format!("cannot be asked for its room: {error}")),
    };
    if free < bytes {
        return Some(format!("has {} KiB free", free >> 10));
    }
    match unnamed_file(place) {
        Ok(_) => None,
        Err(error) => Some(format!("cannot be written: {error}")),
    }
}

/// A private directory in which unnamed files have names for a moment. A process that is killed in
/// it leaves the directory; [`remove_leftovers`] knows it by the lock that nobody holds any more.
pub(crate) struct PrivateDirectory {
    directory: TempDir,
    _lock: File,
}

impl PrivateDirectory {
    /// The database, with what stands beside it.
    pub(crate) fn of(place: &Path, parts: &[(&str, File)]) -> Result<Self, FileError> {
        let what = || {
            format!(
                "naming a private copy of the database in {}",
                place.display()
            )
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::once(place, parts) {
                // Another process took it for a leftover before it was locked.
                Err(error)
                    if tries < TRIES
                        && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock) => {}
                made => return made.or_io(what),
            }
        }
    }

    fn once(place: &Path, parts: &[(&str, File)]) -> std::io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let lock = File::open(directory.path())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        for (suffix, file) in parts {
            link(file, &lock, Path::new(&format!("{NAME}{suffix}")))?;
        }
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// Where SQLite finds the database.
    pub(crate) fn database(&self) -> Result<Utf8PathBuf, StoreError> {
        Utf8PathBuf::from_path_buf(self.directory.path().join(NAME)).map_err(|path| {
            StoreError::TemporaryDirectory {
                directory: format!("{path:?}"),
            }
        })
    }

    /// Takes the names away again; what is open stays open.
    pub(crate) fn remove(self) -> Result<(), FileError> {
        self.directory
            .close()
            .or_io(|| "removing the private copy of the database")
    }
}

/// Removes what killed processes of this user have left. What cannot be removed now is tried
/// again by the next one.
pub(crate) fn remove_leftovers() {
    for place in candidates() {
        if !is_memory(&place) {
            continue;
        }
        for entry in std::fs::read_dir(&place).into_iter().flatten().flatten() {
            let is_private = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if is_private && let Ok(Some(_lock)) = abandoned(&entry.path()) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// The directory, locked, if it is this user's and nobody uses it.
fn abandoned(path: &Path) -> std::io::Result<Option<File>> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = File::from(openat(CWD, path, flags, Mode::empty())?);
    if directory.metadata()?.uid() != geteuid().as_raw() {
        return Ok(None);
    }
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_in_memory_alone() {
        assert!(is_memory(Path::new("/dev/shm")));
        for place in ["/proc", "/no/such/place"] {
            assert!(!is_memory(Path::new(place)), "{place}");
        }
    }

    #[test]
    fn without_room_it_is_said_how_much_and_where_it_was_looked_for() {
        let error = place_for(Utf8Path::new("/data/x.db"), u64::MAX - 1).unwrap_err();
        assert!(matches!(error, StoreError::NoSpaceInMemory { .. }));
        for said in [
            "/data/x.db",
            "/dev/shm has",
            "KiB free",
            "/run ",
            "18014398509481984 KiB",
        ] {
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_in_use_is_no_leftover() {
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        let parts = || [("", unnamed_file(place.path()).unwrap())];
        let used = PrivateDirectory::of(place.path(), &parts()).unwrap();
        assert!(used.database().unwrap().is_file());
        assert!(abandoned(used.directory.path()).unwrap().is_none());
        let path = used.directory.path().to_owned();
        drop(used._lock);
        // A child of another test may have it for a moment still.
        while abandoned(&path).unwrap().is_none() {
            std::thread::yield_now();
        }

        let removed = PrivateDirectory::of(place.path(), &parts()).unwrap();
        removed.remove().unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
