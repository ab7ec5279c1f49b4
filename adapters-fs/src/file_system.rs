//! Rights and free space of paths, and whether something could be written, asked before the first
//! change of a start.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use ports::{FileError, FileSystem, FreeSpace, PathFacts, ResultExt as _};
use rustix::fs::{Access, access, statvfs};

use crate::durable;

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFileSystem;

impl FileSystem for LocalFileSystem {
    fn look(&self, path: &str) -> Result<Option<PathFacts>, FileError> {
        let found = std::fs::metadata(path);
        let found = durable::if_there(found, || format!("looking at {path}"))?;
        Ok(found.map(|metadata| PathFacts {
            is_directory: metadata.is_dir(),
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
            is_own: metadata.uid() == rustix::process::geteuid().as_raw(),
        }))
    }

    fn free_space(&self, path: &str) -> Result<FreeSpace, FileError> {
        free_space(nearest_existing(Utf8Path::new(path)))
    }
}

/// Whether the directory, or the nearest one above it that exists, may be written and has room for
/// `needed` bytes, and whether not every user may replace files in it. Changes nothing.
pub(crate) fn check_writable(directory: &Utf8Path, needed: u64) -> Result<(), FileError> {
    let existing = nearest_existing(directory);
    let metadata = existing
        .metadata()
        .or_io(|| format!("looking at {existing}"))?;
    if !metadata.is_dir() {
        return Err(FileError::new(
            format!("{directory} cannot be written: {existing} is no directory"),
            ErrorKind::NotADirectory.into(),
        ));
    }
    if existing == directory {
        durable::ensure_not_open_to_all(directory, metadata.mode())?;
    }
    let right = Access::WRITE_OK | Access::EXEC_OK;
    access(existing.as_std_path(), right)
        .or_io(|| format!("{directory} cannot be written: writing to {existing}"))?;
    let space = free_space(existing)?;
    if space.has(needed) {
        return Ok(());
    }
    Err(FileError::Full {
        directory: directory.to_string(),
        free: space.free,
        needed,
    })
}

fn free_space(path: &Utf8Path) -> Result<FreeSpace, FileError> {
    let volume = statvfs(path.as_std_path()).or_io(|| format!("asking for the room of {path}"))?;
    Ok(FreeSpace {
        free: volume.f_bavail.saturating_mul(volume.f_frsize),
        total: volume.f_blocks.saturating_mul(volume.f_frsize),
    })
}

fn nearest_existing(path: &Utf8Path) -> &Utf8Path {
    durable::ancestors(path)
        .find(|ancestor| ancestor.exists())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use ports::FaultKind;

    use super::*;

    #[test]
    fn what_does_not_exist_is_judged_by_what_does() {
        let keep = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(keep.path()).unwrap();
        check_writable(&dir.join("a/b/c"), 1).unwrap();
        assert!(!dir.join("a").exists());
        let error = check_writable(&dir.join("a/b/c"), u64::MAX).unwrap_err();
        assert!(matches!(error, FileError::Full { .. }), "{error}");
        assert!(error.to_string().contains("a/b/c"), "{error}");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let keep = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(keep.path()).unwrap();
        std::fs::File::create(dir.join("file")).unwrap();
        let error = check_writable(&dir.join("file/below"), 0).unwrap_err();
        assert_eq!(error.kind(), FaultKind::Io);
        let named = dir.join("file").to_string();
        assert!(error.to_string().contains(&named), "{error}");
    }
}
