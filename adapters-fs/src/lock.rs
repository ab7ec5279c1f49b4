//! One start at a time: an exclusive `flock` on a file beside the database (C11).
//!
//! The lock belongs to the open file description: the kernel releases it when the process dies,
//! and std opens with `O_CLOEXEC`, so that the application that is exec'd later does not hold it.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, LockError, ResultExt as _, StartLock, StartLockGuard};
use rustix::fs::OFlags;

use crate::durable::{self, Directory};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The lock file. It stays empty and is never removed: a process that waits for a removed file
/// would hold a lock that nobody else sees.
#[derive(Clone, Debug)]
pub struct FileLock {
    path: Utf8PathBuf,
    create_parents: bool,
}

impl FileLock {
    /// A lock on the file at `path`. Without `create_parents` a missing directory is an error: a
    /// volume that is not mounted must not be papered over.
    #[must_use]
    pub fn new(path: Utf8PathBuf, create_parents: bool) -> Self {
        Self {
            path,
            create_parents,
        }
    }

    fn provide_directory(&self) -> Result<(), LockError> {
        let directory = durable::parent_of(&self.path)?;
        if self.create_parents {
            return Ok(durable::create_dirs(directory, 0o700)?);
        }
        let looking = || format!("looking at {directory}");
        let problem = match durable::if_there(directory.metadata(), looking)? {
            Some(metadata) if metadata.is_dir() => return Ok(()),
            Some(_) => "is not a directory",
            None => "does not exist",
        };
        Err(LockError::NoDirectory {
            directory: directory.to_string(),
            problem,
        })
    }
}

impl StartLock for FileLock {
    fn acquire(
        &self,
        wait: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError> {
        self.provide_directory()?;
        match locked(&self.path, wait, waiting)? {
            Some(file) => Ok(Box::new(FileLockGuard { _file: file })),
            None => Err(LockError::Busy {
                path: self.path.to_string(),
                waited: wait,
            }),
        }
    }
}

/// Opens a file, which is made where it is missing, and locks it; `None` where another holder
/// kept it for all of `wait`. `waiting` is told once, where there is something to wait for.
pub(crate) fn locked(
    path: &Utf8Path,
    wait: Duration,
    waiting: &mut dyn FnMut(),
) -> Result<Option<File>, FileError> {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut is_announced = false;
    loop {
        if let Some(file) = try_lock(path)? {
            return Ok(Some(file));
        }
        let left = wait.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        if !is_announced {
            is_announced = true;
            waiting();
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// `None` where another holder has it.
fn try_lock(path: &Utf8Path) -> Result<Option<File>, FileError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(FileError::new(format!("locking {path}"), error));
        }
    }
    // Somebody may have removed or replaced the file between open and lock.
    let held = file.metadata().or_io(|| format!("looking at {path}"))?;
    let is_the_same = path
        .metadata()
        .is_ok_and(|visible| (visible.dev(), visible.ino()) == (held.dev(), held.ino()));
    Ok(is_the_same.then_some(file))
}

fn open(path: &Utf8Path) -> Result<File, FileError> {
    let what = || format!("opening {path} to lock it");
    let directory = Directory::open(durable::parent_of(path)?)?;
    let name = path.file_name().unwrap_or_default();
    let opened = match directory.open_to_change(name, OFlags::RDWR) {
        Err(error) if error.kind() == ErrorKind::NotFound => directory
            .create_if_missing(name, 0o600)
            .and_then(|()| directory.open_to_change(name, OFlags::RDWR)),
        opened => opened,
    };
    let file = opened.or_io(what)?;
    if !file.metadata().or_io(what)?.is_file() {
        return Err(FileError::NoRegularFile {
            path: path.to_string(),
            wanted: "locked",
        });
    }
    directory.give_to_owner(&file).or_io(what)?;
    Ok(file)
}

/// Holds the lock until it is dropped.
#[derive(Debug)]
struct FileLockGuard {
    _file: File,
}

impl StartLockGuard for FileLockGuard {}
