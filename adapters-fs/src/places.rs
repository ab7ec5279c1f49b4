//! Rights and room, for an inspector.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use ports::{Fault, PlaceFacts, Places, ResultExt as _, Room};
use rustix::fs::statvfs;

use crate::durable;

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Places for FileSystem {
    fn look(&self, path: &str) -> Result<Option<PlaceFacts>, Fault> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(PlaceFacts {
                is_directory: metadata.is_dir(),
                mode: metadata.mode() & 0o7777,
                owner: metadata.uid(),
                is_own: metadata.uid() == rustix::process::geteuid().as_raw(),
            })),
            Err(error) if durable::is_absent(&error) => Ok(None),
            Err(error) => Err(Fault::io(format!("looking at {path}"), error)),
        }
    }

    fn room(&self, path: &str) -> Result<Room, Fault> {
        let place = Utf8Path::new(path)
            .ancestors()
            .find(|ancestor| !ancestor.as_str().is_empty() && ancestor.exists())
            .unwrap_or(Utf8Path::new("."));
        let volume = statvfs(place.as_std_path())
            .map_err(std::io::Error::from)
            .or_io(|| format!("asking for the room of {place}"))?;
        Ok(Room {
            free: volume.f_bavail.saturating_mul(volume.f_frsize),
            total: volume.f_blocks.saturating_mul(volume.f_frsize),
        })
    }
}
