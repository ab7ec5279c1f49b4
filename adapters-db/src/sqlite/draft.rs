//! A file that has no name until it is finished, so that a process that is killed leaves nothing of
//! it.
//!
//! SQLite opens files by name alone, and the kernel gives a file without a name one only once. So a
//! file gets a name for a moment where SQLite opens it once. It gets a private name for longer where
//! SQLite opens it again, or where it is published after SQLite has opened it; and from the
//! beginning on a file system that knows no files without a name (NFS).
//!
//! A private name is locked by the process that made it. One that nobody has locked is a leftover,
//! and the next draft in that directory removes it. What SQLite has opened is compared with the
//! file: whoever owns the directory could have exchanged it.

use std::fs::{File, Permissions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use data_encoding::HEXLOWER;
use ports::{FileError, ResultExt as _, StoreError};
use ring::error::Unspecified;
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat_with};
use rustix::io::Errno;

use crate::sqlite::directory::{link, parent, remove_if_there, sync_directory, unnamed_file};
use crate::sqlite::identity::{DESCRIPTORS, Identity, descriptors_of};
use crate::sqlite::sql_error::failed;

const PREFIX: &str = ".trustpoint-";
const SUFFIX: &str = ".tmp";
/// How often a name is chosen anew that another process took for a leftover before it was locked.
const ATTEMPTS: usize = 5;

/// The file; gone when this is dropped, unless it has got its name.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    /// Through every symbolic link.
    directory: Utf8PathBuf,
    /// The private name.
    name: Option<Utf8PathBuf>,
}

impl Draft {
    /// An empty file that will stand on the file system of this directory, readable by its owner
    /// alone.
    pub(crate) fn within(directory: &Utf8Path) -> Result<Self, StoreError> {
        let what = || format!("making a file in {directory}");
        let directory = directory.canonicalize_utf8().or_io(what)?;
        remove_leftovers(&directory)?;
        if Utf8Path::new(DESCRIPTORS).is_dir()
            && let Some(file) = unnamed(&directory).or_io(what)?
        {
            // The umask can only have taken bits away.
            file.set_permissions(Permissions::from_mode(0o600))
                .or_io(what)?;
            lock(&file);
            return Ok(Self {
                file,
                directory,
                name: None,
            });
        }
        Self::named(directory)
    }

    pub(crate) fn named(directory: Utf8PathBuf) -> Result<Self, StoreError> {
        for _ in 0..ATTEMPTS {
            let name = directory.join(private_name()?);
            let what = || format!("making {name}");
            let flags =
                OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file =
                openat(CWD, name.as_std_path(), flags, Mode::RUSR | Mode::WUSR).or_io(what)?;
            let file = File::from(file);
            file.set_permissions(Permissions::from_mode(0o600))
                .or_io(what)?;
            if lock(&file) && file.metadata().or_io(what)?.nlink() > 0 {
                return Ok(Self {
                    file,
                    directory,
                    name: Some(name),
                });
            }
        }
        Err(StoreError::FilesRemoved {
            directory: directory.into_string(),
        })
    }

    /// Another in the same directory.
    pub(crate) fn another(&self) -> Result<Self, StoreError> {
        Self::within(&self.directory)
    }

    /// Where it stands.
    pub(crate) fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// What is done where a database is copied to it. Where the file system is full, it is this one's.
    pub(crate) fn copying(&self, database: &Utf8Path) -> String {
        format!("copying the database {database} to {}", self.directory)
    }

    /// Its bytes.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it a private name, so that SQLite can open it more than once, and that it can be
    /// published afterwards.
    pub(crate) fn with_private_name(mut self) -> Result<Self, StoreError> {
        if self.name.is_none() {
            self.name = Some(self.link_privately(&self.directory)?);
        }
        Ok(self)
    }

    /// Takes the private name away: what has it open goes on with it.
    pub(crate) fn remove_name(&mut self) -> Result<(), FileError> {
        match self.name.take() {
            Some(name) => std::fs::remove_file(&name).or_io(|| format!("removing {name}")),
            None => Ok(()),
        }
    }

    /// Opens it with SQLite to change it. No journal is kept: it is thrown away if anything goes
    /// wrong, and synced once when all is right.
    pub(crate) fn edit(&self) -> Result<Connection, StoreError> {
        let connection = self.connect("nolock=1", OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; \
                 PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON; \
                 PRAGMA trusted_schema = OFF;",
            )
            .map_err(|error| failed(&self.directory, "opening a copy", error))?;
        Ok(connection)
    }

    /// Opens it with SQLite to read it.
    pub(crate) fn read(&self) -> Result<Connection, StoreError> {
        self.connect("immutable=1", OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(&self, parameter: &str, access: OpenFlags) -> Result<Connection, StoreError> {
        let access = access | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        match &self.name {
            Some(name) => open_same(&self.file, name, parameter, access),
            None => {
                let name = self.link_privately(&self.directory)?;
                let connection = open_same(&self.file, &name, parameter, access);
                std::fs::remove_file(&name).or_io(|| format!("removing {name}"))?;
                connection
            }
        }
    }

    /// Gives the file this name, durably; `false` where something else has it.
    pub(crate) fn publish(&mut self, path: &Utf8Path) -> Result<bool, StoreError> {
        let what = || format!("naming {path}");
        self.file.sync_all().or_io(what)?;
        let named = match &self.name {
            None => link(&self.file, CWD, path.as_std_path()),
            Some(name) => rename_to_free(name, path),
        };
        match named {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(error) => return Err(FileError::new(what(), error.into()).into()),
        }
        self.ensure_published(path)?;
        Ok(true)
    }

    /// Gives the file this name, durably, in one step also where something else has it.
    pub(crate) fn replace(&mut self, path: &Utf8Path) -> Result<(), StoreError> {
        let what = || format!("replacing {path}");
        self.file.sync_all().or_io(what)?;
        if self.name.is_none() {
            self.name = Some(self.link_privately(&parent(path).canonicalize_utf8().or_io(what)?)?);
        }
        if let Some(name) = &self.name {
            std::fs::rename(name, path).or_io(what)?;
        }
        self.ensure_published(path)
    }

    fn ensure_published(&mut self, path: &Utf8Path) -> Result<(), StoreError> {
        self.name = None;
        let what = || format!("looking at {path}");
        let stands = std::fs::symlink_metadata(path).or_io(what)?;
        if Identity::of(&stands) != Identity::of_file(&self.file).or_io(what)? {
            return Err(exchanged(path));
        }
        Ok(sync_directory(parent(path))?)
    }

    /// A name of its own for a file without one.
    fn link_privately(&self, directory: &Utf8Path) -> Result<Utf8PathBuf, StoreError> {
        let name = directory.join(private_name()?);
        link(&self.file, CWD, name.as_std_path()).or_io(|| format!("naming {name}"))?;
        Ok(name)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The failure is on its way to the operator already; the next draft tries again.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Opens with SQLite, and makes sure that it is this very file.
pub(crate) fn open_same(
    file: &File,
    path: &Utf8Path,
    parameter: &str,
    access: OpenFlags,
) -> Result<Connection, StoreError> {
    let what = || format!("looking at the open files of this process for {path}");
    let before = descriptors_of(file).or_io(what)?;
    let connection = Connection::open_with_flags(
        format!("file:{}?{parameter}", escaped(path)),
        access
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE,
    )
    .map_err(|error| failed(path, "opening", error))?;
    if descriptors_of(file).or_io(what)? == before + 1 {
        return Ok(connection);
    }
    Err(exchanged(path))
}

/// The path as SQLite's URI file names need it.
pub(crate) fn escaped(path: &Utf8Path) -> String {
    path.as_str().bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

fn exchanged(path: &Utf8Path) -> StoreError {
    StoreError::Exchanged {
        path: path.to_string(),
    }
}

/// One that nobody can guess.
fn private_name() -> Result<String, StoreError> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|Unspecified| StoreError::Random)?;
    Ok(format!("{PREFIX}{}{SUFFIX}", HEXLOWER.encode(&bytes)))
}

/// Whether it is a name of this module's.
pub(crate) fn is_private(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// `None` where the file system knows no such files.
fn unnamed(directory: &Utf8Path) -> std::io::Result<Option<File>> {
    match unnamed_file(directory.as_std_path()) {
        Ok(file) => Ok(Some(file)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            Some(_) | None => Err(error),
        },
    }
}

/// `false` where another process has locked it. On a file system without locks nobody can, and
/// nobody takes the file for a leftover.
fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn rename_to_free(name: &Utf8Path, path: &Utf8Path) -> Result<(), Errno> {
    let (from, to) = (name.as_std_path(), path.as_std_path());
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            linkat(CWD, from, CWD, to, AtFlags::empty())?;
            rustix::fs::unlink(from)
        }
        result => result,
    }
}

/// Removes what a killed restore has left beside the database, where its directory is there.
pub(crate) fn remove_leftovers_beside(path: &Utf8Path) -> Result<(), FileError> {
    match parent(path) {
        directory if directory.is_dir() => remove_leftovers(directory),
        _ => Ok(()),
    }
}

/// Removes what a killed process has left.
fn remove_leftovers(directory: &Utf8Path) -> Result<(), FileError> {
    let what = || format!("listing {directory}");
    for entry in std::fs::read_dir(directory).or_io(what)? {
        let name = entry.or_io(what)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if !is_private(name) {
            continue;
        }
        let path = directory.join(name);
        if is_leftover(&path) {
            remove_if_there(&path).or_io(|| format!("removing the unfinished {path}"))?;
        }
    }
    Ok(())
}

/// Whether it can be opened and nobody holds it. What cannot be opened is another user's.
fn is_leftover(path: &Utf8Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path.as_std_path(), flags, Mode::empty())
        .is_ok_and(|file| File::from(file).try_lock().is_ok())
}
