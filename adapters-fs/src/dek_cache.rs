//! The plain DEK in a 0600 file on a tmpfs, for the application that is started next (C22).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use domain::DEK_EXPECTED_LENGTH;
use ports::{CachedDek, Dek, DekCache, DekCacheError, FileError, ResultExt as _};
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::durable::{self, Directory};
use crate::file_system;

const FILE_NAME: &str = "dek";

const ROOT: u32 = 0;

/// A page for the file, and one for its directory.
const SPACE: u64 = 8 << 10;

/// The file `dek` in the runtime directory.
#[derive(Clone, Debug)]
pub struct DekCacheFile {
    directory: Utf8PathBuf,
    path: Utf8PathBuf,
    allow_other_file_system: bool,
}

impl DekCacheFile {
    /// The cache in `runtime_dir`, which has to be on a tmpfs unless `allow_other_file_system`.
    #[must_use]
    pub fn new(runtime_dir: Utf8PathBuf, allow_other_file_system: bool) -> Self {
        Self {
            path: runtime_dir.join(FILE_NAME),
            directory: runtime_dir,
            allow_other_file_system,
        }
    }

    /// Root may do what the owner may: what it writes is the owner's.
    fn ensure_own(&self, metadata: &Metadata) -> Result<(), DekCacheError> {
        let user = own_user();
        if metadata.uid() == user || user == ROOT {
            return Ok(());
        }
        Err(DekCacheError::OtherOwner {
            directory: self.directory.to_string(),
            owner: metadata.uid(),
            user,
        })
    }

    fn check_file_system(&self, existing: &Utf8Path) -> Result<Option<String>, DekCacheError> {
        let file_system = kind_of_file_system(existing)?;
        if matches!(file_system.as_str(), "tmpfs" | "ramfs") {
            return Ok(None);
        }
        let error = DekCacheError::OnDisk {
            directory: self.directory.to_string(),
            file_system,
        };
        if self.allow_other_file_system {
            Ok(Some(error.to_string()))
        } else {
            Err(error)
        }
    }

    fn no_directory(&self, path: &Utf8Path) -> DekCacheError {
        DekCacheError::NoDirectory {
            directory: self.directory.to_string(),
            path: path.to_string(),
        }
    }

    /// What has the name of the file.
    fn standing(&self) -> Result<Option<Metadata>, FileError> {
        let what = || format!("looking at {}", self.path);
        durable::if_there(self.path.symlink_metadata(), what)
    }

    /// To whom a file has to belong that this process trusts.
    fn trusted_owner(&self) -> Result<u32, FileError> {
        let user = own_user();
        if user != ROOT {
            return Ok(user);
        }
        let what = || format!("looking at {}", self.directory);
        Ok(self.directory.metadata().or_io(what)?.uid())
    }
}

/// Zeros and removes one file that holds, or may hold, a DEK.
fn destroy(directory: &Directory, name: &str, owner: u32) -> Result<bool, FileError> {
    let zeroed = match directory.open_to_change(name, OFlags::WRONLY) {
        Ok(file) => overwrite_with_zeros(file, owner),
        Err(error) => match directory.look(name)? {
            Some(found) if is_regular(&found) && found.st_uid == owner => Err(error),
            // Nothing, or nothing that this program has written a DEK into.
            Some(_) | None => Ok(()),
        },
    };
    // Removed in any case: a failed overwrite must not keep the DEK where it is.
    let removed = directory.remove_file(name)?;
    zeroed
        .map(|()| removed)
        .or_io(|| format!("overwriting {}", directory.join(name)))
}

impl DekCache for DekCacheFile {
    fn check(&self) -> Result<Option<String>, DekCacheError> {
        for existing in durable::ancestors(&self.directory) {
            let metadata = match existing.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    return Err(self.no_directory(existing));
                }
                found => found.or_io(|| format!("looking at {existing}"))?,
            };
            if !metadata.is_dir() {
                return Err(self.no_directory(existing));
            }
            if existing == self.directory {
                self.ensure_own(&metadata)?;
                durable::ensure_not_open_to_all(existing, metadata.mode())?;
            }
            return self.check_file_system(existing);
        }
        Err(self.no_directory(&self.directory))
    }

    fn read(&self) -> Result<CachedDek, DekCacheError> {
        let path = &self.path;
        // Without O_NONBLOCK, a FIFO of that name would hang the start.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if durable::is_absent(&error) => return Ok(CachedDek::Absent),
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Ok(CachedDek::Unusable(format!("{path} is a symbolic link")));
            }
            Err(error) => return Err(FileError::new(format!("opening {path}"), error).into()),
        };
        let metadata = file.metadata().or_io(|| format!("looking at {path}"))?;
        if let Some(why) = distrust(&metadata, self.trusted_owner()?) {
            return Ok(CachedDek::Unusable(format!("{path} {why}")));
        }
        Ok(read_dek(&mut file, path)?)
    }

    fn exists(&self) -> Result<bool, DekCacheError> {
        Ok(self.standing()?.is_some())
    }

    fn check_writable(&self) -> Result<(), DekCacheError> {
        // Nothing is renamed over a directory: a mount that should have been of its parent.
        if self.standing()?.is_some_and(|metadata| metadata.is_dir()) {
            let what = format!(
                "the DEK cannot be cached: {} is a directory, move it away",
                self.path
            );
            return Err(FileError::new(what, ErrorKind::IsADirectory.into()).into());
        }
        Ok(file_system::check_writable(&self.directory, SPACE)?)
    }

    fn write(&self, dek: &Dek) -> Result<bool, DekCacheError> {
        self.check()?;
        if let CachedDek::Present(cached) = self.read()?
            && cached.is_same(dek)
        {
            return Ok(false);
        }
        durable::create_dirs(&self.directory, 0o700)?;
        Directory::open(&self.directory)?.write_atomic(FILE_NAME, dek.expose(), 0o600)?;
        Ok(true)
    }

    fn remove(&self) -> Result<bool, DekCacheError> {
        let Some(directory) = Directory::open_if_there(&self.directory)? else {
            return Ok(false);
        };
        let owner = self.trusted_owner()?;
        let mut removed = destroy(&directory, FILE_NAME, owner)?;
        // A write that was killed half way has left a DEK under a temporary name.
        for leftover in directory.leftovers(FILE_NAME)? {
            removed |= destroy(&directory, &leftover, owner)?;
        }
        if removed {
            directory.sync()?;
        }
        Ok(removed)
    }

    fn path(&self) -> String {
        self.path.to_string()
    }
}

fn is_regular(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Why a file is no DEK cache, where that can be seen from outside.
fn distrust(metadata: &Metadata, owner: u32) -> Option<String> {
    if !metadata.is_file() {
        return Some("is not a regular file".to_owned());
    }
    if metadata.uid() != owner {
        return Some(format!("belongs to user {}", metadata.uid()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & !0o600 != 0 {
        return Some(format!("has mode {mode:04o}, which is wider than 0600"));
    }
    if metadata.len() != DEK_EXPECTED_LENGTH as u64 {
        return Some(format!(
            "has {} bytes, a DEK has {DEK_EXPECTED_LENGTH}",
            metadata.len()
        ));
    }
    None
}

fn read_dek(file: &mut File, path: &Utf8Path) -> Result<CachedDek, FileError> {
    let mut bytes = Zeroizing::new([0; DEK_EXPECTED_LENGTH]);
    file.read_exact(bytes.as_mut_slice())
        .or_io(|| format!("reading {path}"))?;
    // What is left of a removal that was killed.
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(CachedDek::Absent);
    }
    Ok(match Dek::from_bytes(bytes.as_slice()) {
        Some(dek) => CachedDek::Present(dek),
        None => CachedDek::Unusable(format!("{path} does not hold {DEK_EXPECTED_LENGTH} bytes")),
    })
}

/// Only a file of our own is overwritten: through a second name, zeros would destroy what is not
/// ours.
fn overwrite_with_zeros(mut file: File, owner: u32) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 || metadata.uid() != owner {
        return Ok(());
    }
    // No DEK that was cut or padded is longer.
    let length = metadata.len().min(SPACE);
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.flush()?;
    file.sync_all()
}

/// The name of the file system that a path stands on, by its magic number (statfs(2)).
fn kind_of_file_system(path: &Utf8Path) -> Result<String, FileError> {
    let stat = rustix::fs::statfs(path.as_str())
        .or_io(|| format!("asking for the file system of {path}"))?;
    // The field's type differs between architectures; every magic number has 32 bits.
    let magic = stat.f_type as u32;
    let name = match magic {
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x0000_ef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x794c_7630 => "overlayfs",
        0x2fc1_2fc1 => "zfs",
        0x0000_6969 => "nfs",
        0x6573_5546 => "fuse",
        _ => return Ok(format!("a file system of type {magic:#x}")),
    };
    Ok(name.to_owned())
}
