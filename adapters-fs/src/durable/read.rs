//! Reading what stands at a path without waiting for it, and no more of it than is expected there.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::Utf8Path;
use ports::{FileError, ResultExt as _};
use rustix::fs::OFlags;

/// Far more than any file of this program's own, and less than what could exhaust the memory.
pub(super) const LIMIT: u64 = 1 << 20;

/// Reads a file that may not be longer than `limit`; `None` where there is none.
pub(crate) fn read_up_to(path: &Utf8Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    open_regular(path)?
        .map(|file| read_all(file, path, limit))
        .transpose()
}

/// Opens a regular file to read; `None` where there is nothing.
pub(crate) fn open_regular(path: &Utf8Path) -> Result<Option<File>, FileError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(NO_WAIT.bits() as i32)
        .open(path);
    regular(opened, path)
}

/// Without these, a FIFO would hang whoever opens it, and a terminal could become the process's.
pub(super) const NO_WAIT: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// The file that was opened with [`NO_WAIT`], if it is one.
pub(super) fn regular(
    opened: io::Result<File>,
    path: &Utf8Path,
) -> Result<Option<File>, FileError> {
    let what = || format!("reading {path}");
    let Some(file) = if_there(opened, what)? else {
        return Ok(None);
    };
    if file.metadata().or_io(what)?.is_file() {
        return Ok(Some(file));
    }
    Err(FileError::NoRegularFile {
        path: path.to_string(),
        wanted: "read",
    })
}

/// Reads a file to its end.
pub(super) fn read_all(file: File, path: &Utf8Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let what = || format!("reading {path}");
    let length = file.metadata().or_io(what)?.len();
    let too_long = || FileError::TooLong {
        path: path.to_string(),
        limit,
    };
    if length > limit {
        return Err(too_long());
    }
    // With its room at once: a buffer that grows would leave copies of a key behind.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(limit + 1).read_to_end(&mut bytes).or_io(what)?;
    if bytes.len() as u64 > limit {
        return Err(too_long());
    }
    Ok(bytes)
}

/// Whether two streams have the same bytes.
pub(crate) fn is_same_content(left: &mut File, right: &mut File) -> io::Result<bool> {
    const CHUNK: u64 = 64 * 1024;
    let (mut left_chunk, mut right_chunk) = (Vec::new(), Vec::new());
    loop {
        left_chunk.clear();
        right_chunk.clear();
        left.take(CHUNK).read_to_end(&mut left_chunk)?;
        right.take(CHUNK).read_to_end(&mut right_chunk)?;
        if left_chunk != right_chunk {
            return Ok(false);
        }
        if left_chunk.is_empty() {
            return Ok(true);
        }
    }
}

/// What was found, `None` where there is nothing at the path.
pub(crate) fn if_there<T>(
    found: io::Result<T>,
    what: impl FnOnce() -> String,
) -> Result<Option<T>, FileError> {
    match found {
        Err(error) if is_absent(&error) => Ok(None),
        found => found.map(Some).or_io(what),
    }
}

/// The error of what has to be there and is not.
pub(crate) fn missing(doing: String) -> FileError {
    FileError::new(doing, ErrorKind::NotFound.into())
}

/// Whether the error says that there is nothing at the path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
