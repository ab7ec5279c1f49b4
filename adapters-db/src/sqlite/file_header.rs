//! What the first bytes of a SQLite file say (its format: <https://sqlite.org/fileformat.html>).

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use camino::Utf8Path;
use ports::{FileError, ResultExt as _};

/// How every database begins.
pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Length of the header.
pub(crate) const LENGTH: usize = 100;
const PAGE_SIZE: Range<usize> = 16..18;
/// The number of pages.
const PAGE_COUNT: Range<usize> = 28..32;
/// Up to here it says how large the database is.
pub(crate) const SIZES_END: usize = PAGE_COUNT.end;
/// Write version and read version.
const LOGGING: Range<usize> = 18..20;
const WRITE_AHEAD: [u8; 2] = [2, 2];
const ROLLBACK: [u8; 2] = [1, 1];

/// The write version and the read version, where the header has that many bytes. 2 is write-ahead
/// logging.
pub(crate) fn versions(header: &[u8]) -> Option<(u8, u8)> {
    match header.get(LOGGING) {
        Some(&[write, read]) => Some((write, read)),
        Some(_) | None => None,
    }
}

/// The size of the database in bytes, as far as the header says it.
pub(crate) fn stated_size(header: &[u8]) -> u64 {
    let page_size = match header.get(PAGE_SIZE) {
        Some([0, 1]) => 65536,
        Some(&[high, low]) => u64::from(u16::from_be_bytes([high, low])),
        Some(_) | None => 0,
    };
    u64::from(number(header, PAGE_COUNT)) * page_size
}

/// The number of four bytes that stands there.
pub(crate) fn number(header: &[u8], place: Range<usize>) -> u32 {
    let bytes = header.get(place).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// Takes the mark of write-ahead logging off a file that has no log beside it.
pub(crate) fn without_log(file: &File) -> std::io::Result<()> {
    let mut mark = [0; 2];
    match file.read_exact_at(&mut mark, LOGGING.start as u64) {
        Ok(()) if mark == WRITE_AHEAD => file.write_all_at(&ROLLBACK, LOGGING.start as u64),
        result => result,
    }
}

/// Whether the file uses write-ahead logging.
pub(crate) fn is_write_ahead(path: &Utf8Path, file: &File) -> Result<bool, FileError> {
    let mut header = [0; LOGGING.end];
    let count = file
        .read_at(&mut header, 0)
        .or_io(|| format!("reading the database {path}"))?;
    Ok(count == header.len() && header.ends_with(&WRITE_AHEAD))
}
