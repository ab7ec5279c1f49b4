//! Bytes of open files: read, copied, compared, sent.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read, Seek as _, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use camino::Utf8Path;
use ports::{FileError, ResultExt as _};
use rustix::fs::{Advice, OFlags, fadvise};

/// How much is read and written at a time.
pub(crate) const CHUNK: usize = 1 << 20;

/// Opens for reading what has to be a file, and waits for nobody.
pub(crate) fn open_file(path: &Utf8Path, more: OFlags) -> std::io::Result<File> {
    let flags = (OFlags::NONBLOCK | more).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(std::io::Error::new(
        ErrorKind::InvalidInput,
        format!("{path} is no file"),
    ))
}

/// Copies a file that others may be writing to.
pub(crate) fn copy_as_it_is(
    from: &File,
    to: &File,
    progress: &mut dyn FnMut(u64, u64),
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut place = 0;
    loop {
        let count = read_at(from, &mut chunk, place)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        to.write_all_at(bytes, place)?;
        write_back(to, place, count);
        place += count as u64;
        progress(place, from.metadata()?.len().max(place));
    }
    progress(place, place);
    Ok(())
}

/// Has the disk begin with it, so that there is less to wait for at the end. What the kernel makes
/// of the advice changes nothing but the time.
fn write_back(file: &File, place: u64, count: usize) {
    let _ = fadvise(file, place, NonZeroU64::new(count as u64), Advice::DontNeed);
}

/// What became of a copy that may differ.
pub(crate) enum Same {
    /// It did not differ.
    Already,
    /// It was put right.
    Now,
    /// It still differs.
    Never,
}

/// Copies what differs, and reads back what was copied.
pub(crate) fn make_same(from: &File, to: &File, size: u64) -> std::io::Result<Same> {
    let mut same = Same::Already;
    let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
    for place in (0..size).step_by(CHUNK) {
        let length = usize::try_from(size - place).map_or(CHUNK, |left| left.min(CHUNK));
        theirs.resize(length, 0);
        ours.resize(length, 0);
        from.read_exact_at(&mut theirs, place)?;
        to.read_exact_at(&mut ours, place)?;
        if ours != theirs {
            to.write_all_at(&theirs, place)?;
            to.read_exact_at(&mut ours, place)?;
            same = Same::Now;
        }
        if ours != theirs {
            return Ok(Same::Never);
        }
    }
    Ok(same)
}

/// Reads until the chunk is full or the file ends.
pub(crate) fn read_at(file: &File, chunk: &mut [u8], place: u64) -> std::io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = chunk.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, place + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Whether both files have the same bytes.
pub(crate) fn same_bytes(ours: &File, other: &Utf8Path) -> Result<bool, FileError> {
    let comparing = || format!("comparing a copy of the database with {other}");
    let theirs = File::open(other).or_io(comparing)?;
    let length = ours.metadata().or_io(comparing)?.len();
    if theirs.metadata().or_io(comparing)?.len() != length {
        return Ok(false);
    }
    let (mut one, mut two) = (vec![0; CHUNK], vec![0; CHUNK]);
    for place in (0..length).step_by(CHUNK) {
        let counts = [
            read_at(ours, &mut one, place).or_io(comparing)?,
            read_at(&theirs, &mut two, place).or_io(comparing)?,
        ];
        if one.get(..counts[0]) != two.get(..counts[1]) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends the whole file.
pub(crate) fn send(file: &File, stream: &mut dyn Write) -> std::io::Result<()> {
    let mut file = file;
    file.rewind()?;
    std::io::copy(&mut BufReader::with_capacity(CHUNK, file), stream)?;
    stream.flush()
}

/// Why a stream was not taken in.
pub(crate) enum StreamError {
    /// It cannot be read.
    Reading(std::io::Error),
    /// The file cannot be written.
    Writing(std::io::Error),
}

/// Takes the whole stream in; gives back how many bytes that were.
pub(crate) fn take_in(stream: &mut dyn Read, file: &File) -> Result<u64, StreamError> {
    let mut chunk = vec![0; CHUNK];
    let mut place = 0;
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(StreamError::Reading(error)),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(place);
        }
        file.write_all_at(bytes, place)
            .map_err(StreamError::Writing)?;
        place += count as u64;
    }
}
