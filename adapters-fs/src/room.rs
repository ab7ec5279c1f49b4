//! Whether something could be written, asked before the first change of a start.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use ports::{Fault, FaultKind, ResultExt as _};
use rustix::fs::{Access, access, statvfs};

use crate::durable;

/// Whether the directory, or the nearest one above it that exists, may be written and has `room`
/// bytes, and whether not every user may replace files in it. Changes nothing.
pub(crate) fn check_writable(directory: &Utf8Path, room: u64) -> Result<(), Fault> {
    let existing = existing(directory);
    let metadata = existing
        .metadata()
        .or_io(|| format!("looking at {existing}"))?;
    if !metadata.is_dir() {
        return Err(Fault::io(
            format!("{directory} cannot be written: {existing} is no directory"),
            std::io::ErrorKind::NotADirectory.into(),
        ));
    }
    if existing == directory {
        durable::refuse_open_to_all(directory, metadata.mode())?;
    }
    let right = Access::WRITE_OK | Access::EXEC_OK;
    access(existing.as_std_path(), right)
        .map_err(std::io::Error::from)
        .or_io(|| format!("{directory} cannot be written: writing to {existing}"))?;
    let volume = statvfs(existing.as_std_path())
        .map_err(std::io::Error::from)
        .or_io(|| format!("asking for the room of {existing}"))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    // A file system without a limit says that it has no blocks at all.
    if volume.f_blocks == 0 || free >= room {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Io,
        format!(
            "{directory} cannot be written: its file system is full ({} KiB are free, {} KiB are \
             needed)",
            free >> 10,
            room >> 10
        ),
        "free space on that file system, then start again; nothing is lost",
    ))
}

fn existing(directory: &Utf8Path) -> &Utf8Path {
    directory
        .ancestors()
        .find(|ancestor| !ancestor.as_str().is_empty() && ancestor.exists())
        .unwrap_or(Utf8Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_judged_by_what_does() {
        let keep = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(keep.path()).unwrap();
        check_writable(&dir.join("a/b/c"), 1).unwrap();
        assert!(!dir.join("a").exists());
        let fault = check_writable(&dir.join("a/b/c"), u64::MAX).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Io);
        assert!(fault.to_string().contains("a/b/c"), "{fault}");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let keep = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(keep.path()).unwrap();
        std::fs::File::create(dir.join("file")).unwrap();
        let fault = check_writable(&dir.join("file/below"), 0).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Io);
        let named = dir.join("file").to_string();
        assert!(fault.to_string().contains(&named), "{fault}");
    }
}
