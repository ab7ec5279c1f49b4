//! Reading and writing whole files and streams.

use std::fs::{File, FileType};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt as _;

use camino::Utf8Path;
use ports::Fault;

use crate::duplicate::{CHUNK, read_at};

/// What stands at the path itself, where something does.
pub(super) fn kind_of(path: &Utf8Path) -> Result<Option<FileType>, Fault> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::io(format!("looking at {path}"), error)),
    }
}

/// The directory, or the nearest above it that is there.
pub(super) fn nearest(directory: &Utf8Path) -> &Utf8Path {
    directory
        .ancestors()
        .find(|place| !place.as_str().is_empty() && place.is_dir())
        .unwrap_or(Utf8Path::new("."))
}

/// Sends the whole file.
pub(super) fn send(file: &File, stream: &mut dyn Write) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut place = 0;
    loop {
        let count = read_at(file, &mut chunk, place)?;
        let bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return stream.flush();
        }
        stream.write_all(bytes)?;
        place += count as u64;
    }
}

/// Why a stream was not taken in.
pub(super) enum Refused {
    /// It cannot be read.
    Reading(std::io::Error),
    /// The file cannot be written.
    Writing(std::io::Error),
}

/// Takes the whole stream in.
pub(super) fn take_in(stream: &mut dyn Read, file: &File) -> Result<(), Refused> {
    let mut chunk = vec![0; CHUNK];
    let mut place = 0;
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Refused::Reading(error)),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        file.write_all_at(bytes, place).map_err(Refused::Writing)?;
        place += count as u64;
    }
}
