//! A directory by its open handle: everything in it is named relative to that handle, so that
//! nobody can swap what a name leads to between two steps.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, ResultExt as _};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::read::{self, NO_WAIT};
use super::temporary::{Temporary, is_temporary, names, prefix, remove_tree};

/// How often a write starts again because another process removed its temporary file as a
/// leftover. Only the last report is written without the start lock.
const ATTEMPTS: usize = 3;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: File,
    path: Utf8PathBuf,
    /// To whom root gives what it makes in another user's directory: that user's next start has to
    /// be able to read it.
    heir: Option<(Uid, Gid)>,
}

impl Directory {
    /// Opens a directory of which something is to change.
    ///
    /// One in which every user may replace files is refused: see [`ensure_not_open_to_all`].
    pub(crate) fn open(path: &Utf8Path) -> Result<Self, FileError> {
        let directory = Self::open_if_there(path)?
            .ok_or_else(|| read::missing(format!("opening the directory {path}")))?;
        directory.ensure_not_open_to_all()?;
        Ok(directory)
    }

    /// Opens a directory, through symbolic links; `None` where nothing stands there.
    pub(crate) fn open_if_there(path: &Utf8Path) -> Result<Option<Self>, FileError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::DIRECTORY.bits() as i32)
            .open(path);
        Self::opened(opened, path.to_owned())
    }

    /// Opens a directory in this one, and not what a symbolic link leads to; `None` where nothing
    /// has that name.
    pub(crate) fn below(&self, name: &str) -> Result<Option<Self>, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::opened(self.open_at(name, flags, 0), self.join(name))
    }

    fn opened(opened: io::Result<File>, path: Utf8PathBuf) -> Result<Option<Self>, FileError> {
        let what = || format!("opening the directory {path}");
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::new(what(), error)),
        };
        let owner = handle.metadata().or_io(what)?;
        let is_anothers = rustix::process::geteuid().is_root() && owner.uid() != 0;
        Ok(Some(Self {
            handle,
            path,
            heir: is_anothers.then(|| (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()))),
        }))
    }

    /// The path of a name in it, for messages.
    pub(crate) fn join(&self, name: &str) -> Utf8PathBuf {
        self.path.join(name)
    }

    /// What the directory is.
    pub(crate) fn metadata(&self) -> Result<Metadata, FileError> {
        let what = || format!("looking at {}", self.path);
        self.handle.metadata().or_io(what)
    }

    /// See [`ensure_not_open_to_all`].
    pub(crate) fn ensure_not_open_to_all(&self) -> Result<(), FileError> {
        ensure_not_open_to_all(&self.path, self.metadata()?.mode())
    }

    /// The names in it, sorted; those that are not UTF-8 with replacement characters.
    pub(crate) fn list(&self) -> Result<Vec<String>, FileError> {
        let names = names(&self.handle).or_io(|| format!("reading the directory {}", self.path))?;
        let mut names: Vec<_> = names
            .into_iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    /// What has that name, links not followed; `None` where nothing has.
    pub(crate) fn look(&self, name: &str) -> Result<Option<Stat>, FileError> {
        let found = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        absent_at(found, &[Errno::NOENT]).or_io(|| format!("looking at {}", self.join(name)))
    }

    /// Reads a file, through symbolic links; `None` where there is none.
    pub(crate) fn read_optional(&self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        let path = self.join(name);
        let opened = self.open_at(name, OFlags::RDONLY | NO_WAIT | OFlags::CLOEXEC, 0);
        read::regular(opened, &path)?
            .map(|file| read::read_all(file, &path, read::LIMIT))
            .transpose()
    }

    /// Reads the target of a symbolic link; `None` where there is none, or something else.
    pub(crate) fn read_link(&self, name: &str) -> Result<Option<String>, FileError> {
        let target = rustix::fs::readlinkat(&self.handle, name, Vec::new());
        // INVAL: it is no link.
        let target = absent_at(target, &[Errno::NOENT, Errno::INVAL])
            .or_io(|| format!("reading the link {}", self.join(name)))?;
        Ok(target.and_then(|target| target.into_string().ok()))
    }

    /// Opens a file to change it, not through a symbolic link, and without waiting for a FIFO's
    /// other end.
    pub(crate) fn open_to_change(&self, name: &str, flags: OFlags) -> io::Result<File> {
        self.open_at(
            name,
            flags | NO_WAIT | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            0,
        )
    }

    /// Writes a file in one step; see [`super::write_atomic`].
    pub(crate) fn write_atomic(
        &self,
        name: &str,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), FileError> {
        self.remove_leftovers(name)?;
        self.replace_with(name, mode, |file| file.write_all(bytes))?;
        self.sync()
    }

    /// Creates a file that must not exist yet, with its content, synced; the directory is the
    /// caller's to sync.
    pub(crate) fn write_new(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        self.create_exclusive(name, mode)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .or_io(|| format!("writing {}", self.join(name)))
    }

    /// Replaces a file by what `fill` writes, without a sync of the directory.
    pub(crate) fn replace_with(
        &self,
        name: &str,
        mode: u32,
        mut fill: impl FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), FileError> {
        let mut attempt = 1;
        loop {
            let temporary = self.temporary(name);
            let result = self
                .create_exclusive(&temporary.name, mode)
                .and_then(|mut file| {
                    fill(&mut file)?;
                    file.sync_all()?;
                    self.rename_at(&temporary.name, name)
                });
            match result {
                Ok(()) => {
                    temporary.keep();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => {
                    return Err(FileError::new(
                        format!("writing {}", self.join(name)),
                        error,
                    ));
                }
            }
        }
    }

    /// Creates an empty file, where nothing has that name yet. It has its owner from the moment on
    /// at which it has its name, so that a killed root leaves nothing that locks the owner out.
    pub(crate) fn create_if_missing(&self, name: &str, mode: u32) -> io::Result<()> {
        let created = if self.heir.is_none() {
            self.create_exclusive(name, mode).map(drop)
        } else {
            let temporary = self.temporary(name);
            self.create_exclusive(&temporary.name, mode)?;
            let none = AtFlags::empty();
            rustix::fs::linkat(&self.handle, &temporary.name, &self.handle, name, none)
                .map_err(io::Error::from)
        };
        match created {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            created => created,
        }
    }

    /// Makes a name a symbolic link to `target` in one step, without a sync of the directory. The
    /// link itself stays root's where root makes it: nobody needs a right to a link.
    pub(crate) fn replace_symlink(&self, target: &str, name: &str) -> Result<(), FileError> {
        let temporary = self.temporary(name);
        rustix::fs::symlinkat(target, &self.handle, &temporary.name)
            .map_err(io::Error::from)
            .and_then(|()| self.rename_at(&temporary.name, name))
            .or_io(|| format!("making the link {} to {target}", self.join(name)))?;
        temporary.keep();
        Ok(())
    }

    /// Creates a directory durably and opens it; one that stands there already is left as it is.
    pub(crate) fn provide_dir(&self, name: &str, mode: u32) -> Result<Self, FileError> {
        if let Some(standing) = self.below(name)? {
            return Ok(standing);
        }
        let made = self.make_dir(name, mode)?;
        self.sync()?;
        Ok(made)
    }

    /// Creates a directory without a sync of this one, and opens it; one that was made at the same
    /// time is left as it is.
    pub(crate) fn make_dir(&self, name: &str, mode: u32) -> Result<Self, FileError> {
        let what = || format!("creating the directory {}", self.join(name));
        let is_new = match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(FileError::new(what(), error.into())),
        };
        let mut made = self.below(name)?.ok_or_else(|| read::missing(what()))?;
        if is_new {
            self.finish(&made.handle, mode).or_io(what)?;
            made.heir = self.heir;
        }
        Ok(made)
    }

    /// Renames, without a sync of the directory.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        self.rename_at(from, to)
            .or_io(|| format!("renaming {} to {}", self.join(from), self.join(to)))
    }

    /// Removes a file; `false` where there is none. The directory is the caller's to sync.
    pub(crate) fn remove_file(&self, name: &str) -> Result<bool, FileError> {
        let removed = rustix::fs::unlinkat(&self.handle, name, AtFlags::empty());
        let removed = absent_at(removed, &[Errno::NOENT]);
        let removed = removed.or_io(|| format!("removing {}", self.join(name)))?;
        Ok(removed.is_some())
    }

    /// Removes a file, or a directory with all that is in it. Follows no link.
    pub(crate) fn remove_tree(&self, name: &str) -> Result<(), FileError> {
        remove_tree(&self.handle, name).or_io(|| format!("removing {}", self.join(name)))
    }

    /// The temporary files that killed writes of a file left behind.
    pub(crate) fn leftovers(&self, name: &str) -> Result<Vec<String>, FileError> {
        let prefix = prefix(name);
        let mut names = self.list()?;
        names.retain(|name| name.starts_with(&prefix));
        Ok(names)
    }

    /// Removes the temporary files that killed writes of a file left behind.
    pub(crate) fn remove_leftovers(&self, name: &str) -> Result<(), FileError> {
        for leftover in self.leftovers(name)? {
            self.remove_file(&leftover)?;
        }
        Ok(())
    }

    /// Removes all temporary files and directories in it.
    pub(crate) fn remove_all_leftovers(&self) -> Result<(), FileError> {
        for name in self.list()? {
            if is_temporary(&name) {
                self.remove_tree(&name)?;
            }
        }
        Ok(())
    }

    /// Makes its entries durable.
    pub(crate) fn sync(&self) -> Result<(), FileError> {
        self.handle
            .sync_all()
            .or_io(|| format!("syncing the directory {}", self.path))
    }

    /// A name for what will become `name`; creates nothing.
    pub(crate) fn temporary(&self, name: &str) -> Temporary<'_> {
        Temporary::new(&self.handle, name)
    }

    fn open_at(&self, name: &str, flags: OFlags, mode: u32) -> io::Result<File> {
        let opened = rustix::fs::openat(&self.handle, name, flags, Mode::from_raw_mode(mode));
        opened.map(File::from).map_err(io::Error::from)
    }

    fn create_exclusive(&self, name: &str, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = self.open_at(name, flags | OFlags::CLOEXEC, mode)?;
        self.finish(&file, mode)?;
        Ok(file)
    }

    /// Gives what was made just now its mode and owner.
    fn finish(&self, made: &File, mode: u32) -> io::Result<()> {
        // The umask can only have taken bits away: it was never wider than `mode`.
        if made.metadata()?.permissions().mode() & 0o7777 != mode {
            made.set_permissions(Permissions::from_mode(mode))?;
        }
        if let Some((user, group)) = self.heir {
            rustix::fs::fchown(made, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Gives a file of root's in another user's directory to that user, whom it would lock out.
    pub(crate) fn give_to_owner(&self, file: &File) -> io::Result<()> {
        if let Some((user, group)) = self.heir
            && file.metadata()?.uid() == 0
        {
            // Root without the right to give files away can do nothing more; that user is then told
            // that it has no permission.
            let _ = rustix::fs::fchown(file, Some(user), Some(group));
        }
        Ok(())
    }

    fn rename_at(&self, from: &str, to: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.handle, from, &self.handle, to).map_err(io::Error::from)
    }
}

fn absent_at<T>(found: rustix::io::Result<T>, absent: &[Errno]) -> rustix::io::Result<Option<T>> {
    match found {
        Err(error) if absent.contains(&error) => Ok(None),
        found => found.map(Some),
    }
}

/// Another user could put a file of his own in the place of ours in a directory in which every user
/// may replace files, unless the sticky bit leaves each file to its owner. A group that may write is
/// what shared directories are for; `doctor` warns about it.
pub(crate) fn ensure_not_open_to_all(directory: &Utf8Path, mode: u32) -> Result<(), FileError> {
    if !ports::is_open_to_all(mode) {
        return Ok(());
    }
    Err(FileError::OpenToAll {
        directory: directory.to_string(),
        mode,
    })
}
