//! The one place where files change: temporary file, fsync, rename, fsync of the directory.
//!
//! A temporary file stands in the directory of the file it becomes, is created exclusively and
//! with its final mode, and is named `.NAME.tpctl-RANDOM`. One that a killed process left behind
//! is never read by anything, and the next write of the same file removes it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind, ResultExt as _};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::OFlags;

/// What every temporary name has between the name it becomes and its random end.
const INFIX: &str = ".tpctl-";

/// How often a write starts again because another process removed its temporary file as a
/// leftover. Only the last report is written without the start lock.
const ATTEMPTS: usize = 3;

/// Writes `bytes` to `path` in one step: a reader, and the disk after a crash, has the old content
/// or the new one. The mode is `mode` from the first byte on, whatever the umask.
///
/// # Errors
/// As [`Fault::io`] has it; what stood there still stands there.
pub fn write_atomic(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    let directory = parent_of(path)?;
    remove_leftovers(path)?;
    replace_with(path, mode, |file| file.write_all(bytes))?;
    sync_dir(directory)
}

/// Creates `path` and its missing parents with `mode`, each durably.
///
/// # Errors
/// As [`Fault::io`] has it, also where something else than a directory has one of the names.
pub fn create_dirs(path: &Utf8Path, mode: u32) -> Result<(), Fault> {
    let mut missing = Vec::new();
    for ancestor in path.ancestors() {
        if ancestor.as_str().is_empty() || is_dir(ancestor)? {
            break;
        }
        missing.push(ancestor);
    }
    for directory in missing.into_iter().rev() {
        create_dir(directory, mode)?;
    }
    Ok(())
}

/// Creates one directory durably; one that stands there already is left as it is.
pub(crate) fn create_dir(path: &Utf8Path, mode: u32) -> Result<(), Fault> {
    make_dir(path, mode)?;
    sync_dir(parent_of(path)?)
}

/// Creates one directory without a sync of its parent; one that stands there already is left as it
/// is.
pub(crate) fn make_dir(path: &Utf8Path, mode: u32) -> Result<(), Fault> {
    let what = || format!("creating the directory {path}");
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return if is_dir(path)? {
                Ok(())
            } else {
                Err(Fault::io(what(), error))
            };
        }
        Err(error) => return Err(Fault::io(what(), error)),
    }
    // A strict umask takes bits away that the reader of this directory needs.
    let created = path.symlink_metadata().or_io(what)?;
    if created.permissions().mode() & 0o7777 != mode {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).or_io(what)?;
    }
    Ok(())
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Utf8Path) -> Result<(), Fault> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .or_io(|| format!("syncing the directory {path}"))
}

/// Creates a file that must not exist yet, with its content, synced; the directory is the
/// caller's to sync.
pub(crate) fn write_new(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    create_exclusive(path, mode)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .or_io(|| format!("writing {path}"))
}

/// Replaces `path` by what `fill` writes, without a sync of the directory.
pub(crate) fn replace_with(
    path: &Utf8Path,
    mode: u32,
    mut fill: impl FnMut(&mut File) -> io::Result<()>,
) -> Result<(), Fault> {
    let mut attempt = 1;
    loop {
        let temporary = Temporary::beside(path)?;
        let result = create_exclusive(&temporary.path, mode).and_then(|mut file| {
            fill(&mut file)?;
            file.sync_all()?;
            std::fs::rename(&temporary.path, path)
        });
        match result {
            Ok(()) => {
                temporary.has_become_the_file();
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(Fault::io(format!("writing {path}"), error)),
        }
    }
}

/// Makes `link` a symbolic link to `target` in one step, without a sync of the directory.
pub(crate) fn replace_symlink(target: &str, link: &Utf8Path) -> Result<(), Fault> {
    let temporary = Temporary::beside(link)?;
    std::os::unix::fs::symlink(target, &temporary.path)
        .and_then(|()| std::fs::rename(&temporary.path, link))
        .or_io(|| format!("making the link {link} to {target}"))?;
    temporary.has_become_the_file();
    Ok(())
}

/// Renames, without a sync of the directory.
pub(crate) fn rename(from: &Utf8Path, to: &Utf8Path) -> Result<(), Fault> {
    std::fs::rename(from, to).or_io(|| format!("renaming {from} to {to}"))
}

/// Removes a file; `false` where there is none. The directory is the caller's to sync.
pub(crate) fn remove_file(path: &Utf8Path) -> Result<bool, Fault> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(Fault::io(format!("removing {path}"), error)),
    }
}

/// Reads a file; `None` where there is none.
pub(crate) fn read_optional(path: &Utf8Path) -> Result<Option<Vec<u8>>, Fault> {
    let what = || format!("reading {path}");
    // Without O_NONBLOCK, a FIFO of that name would hang the start.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(Fault::io(what(), error)),
    };
    let metadata = file.metadata().or_io(what)?;
    if !metadata.is_file() {
        return Err(Fault::new(
            FaultKind::Io,
            format!("{path} cannot be read: it is no regular file"),
            "move away what stands there, then start again",
        ));
    }
    // With its room at once: a buffer that grows would leave copies of a key behind.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.read_to_end(&mut bytes).or_io(what)?;
    Ok(Some(bytes))
}

/// Reads the target of a symbolic link; `None` where there is none, or something else.
pub(crate) fn read_link(path: &Utf8Path) -> Result<Option<String>, Fault> {
    match std::fs::read_link(path) {
        Ok(target) => Ok(target.into_os_string().into_string().ok()),
        // EINVAL: it is no link.
        Err(error) if is_absent(&error) || error.kind() == ErrorKind::InvalidInput => Ok(None),
        Err(error) => Err(Fault::io(format!("reading the link {path}"), error)),
    }
}

/// The names in a directory, sorted; `None` where there is no directory. Names that are not UTF-8
/// are given with replacement characters, which makes them unknown names and nothing worse.
pub(crate) fn list(path: &Utf8Path) -> Result<Option<Vec<String>>, Fault> {
    let what = || format!("reading the directory {path}");
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::io(what(), error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(
            entry
                .or_io(what)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(Some(names))
}

/// The temporary files that killed writes of `path` left behind.
pub(crate) fn leftovers(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Fault> {
    let directory = parent_of(path)?;
    let prefix = temporary_prefix(path)?;
    let names = list(directory)?.unwrap_or_default();
    Ok(names
        .into_iter()
        .filter(|name| name.starts_with(&prefix))
        .map(|name| directory.join(name))
        .collect())
}

/// Removes the temporary files that killed writes of `path` left behind.
pub(crate) fn remove_leftovers(path: &Utf8Path) -> Result<(), Fault> {
    for leftover in leftovers(path)? {
        remove_file(&leftover)?;
    }
    Ok(())
}

/// Whether `name` is the name of a temporary file or directory of this module.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.contains(INFIX)
}

/// Whether the error says that there is nothing at the path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The directory a path stands in.
pub(crate) fn parent_of(path: &Utf8Path) -> Result<&Utf8Path, Fault> {
    match path.parent() {
        Some(parent) if parent.as_str().is_empty() => Ok(Utf8Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Fault::new(
            FaultKind::Config,
            format!("{path:?} cannot be the path of a file"),
            "configure a path with a file name",
        )),
    }
}

/// A name beside `path` for what will become `path`; removed when dropped, unless it has become it.
#[must_use]
pub(crate) struct Temporary {
    /// The temporary path.
    pub(crate) path: Utf8PathBuf,
    is_done: bool,
}

impl Temporary {
    /// Makes the name; creates nothing.
    pub(crate) fn beside(path: &Utf8Path) -> Result<Self, Fault> {
        let name = format!("{}{:016x}", temporary_prefix(path)?, random()?);
        Ok(Self {
            path: parent_of(path)?.join(name),
            is_done: false,
        })
    }

    /// The rename worked: there is nothing to remove.
    pub(crate) fn has_become_the_file(mut self) {
        self.is_done = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // The write has failed already and its error is on its way to the operator. What cannot be
        // removed now (a volume that became read-only) is removed by the next write.
        let removed = std::fs::remove_file(&self.path);
        if removed.is_err_and(|error| error.kind() == ErrorKind::IsADirectory) {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn temporary_prefix(path: &Utf8Path) -> Result<String, Fault> {
    let name = path.file_name().ok_or_else(|| {
        Fault::new(
            FaultKind::Config,
            format!("{path:?} cannot be the path of a file"),
            "configure a path with a file name",
        )
    })?;
    Ok(format!(".{name}{INFIX}"))
}

fn random() -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Fault::new(
            FaultKind::Internal,
            "the system's random generator gave nothing",
            "report this with the kernel version",
        )
    })?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Whether there is a directory, through symbolic links.
fn is_dir(path: &Utf8Path) -> Result<bool, Fault> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::io(format!("looking at {path}"), error)),
    }
}

fn create_exclusive(path: &Utf8Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)?;
    // The umask can only have taken bits away: the file was never wider than `mode`.
    if file.metadata()?.permissions().mode() & 0o7777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// Whether two streams have the same bytes.
pub(crate) fn is_same_content(left: &mut File, right: &mut File) -> io::Result<bool> {
    const CHUNK: usize = 64 * 1024;
    let (mut left_chunk, mut right_chunk) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let left_part = fill(left, &mut left_chunk)?;
        let right_part = fill(right, &mut right_chunk)?;
        if left_part != right_part {
            return Ok(false);
        }
        if left_part.is_empty() {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill<'buffer>(file: &mut File, buffer: &'buffer mut [u8]) -> io::Result<&'buffer [u8]> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(buffer.get(..length).unwrap_or_default())
}
