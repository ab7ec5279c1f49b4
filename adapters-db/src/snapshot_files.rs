//! The files of the snapshot directory: `trustpoint-<version>-<UTC time>[-n].db`.

use std::fs::{File, remove_file};
use std::io::{ErrorKind, Read};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, ResultExt};
use rusqlite::{Connection, OpenFlags};
use time::{OffsetDateTime, UtcOffset};

use crate::node;

pub(crate) const TEMPORARY_PREFIX: &str = ".trustpoint-";
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
const PREFIX: &str = "trustpoint-";
const SUFFIX: &str = ".db";
const MAX_VERSION: usize = 64;
const CHUNK: u64 = 64 << 10;

/// A snapshot by its name. Ordered by time, then by number.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SnapshotFile {
    time: String,
    number: u32,
    pub(crate) path: Utf8PathBuf,
}

impl SnapshotFile {
    fn of(path: &Utf8Path) -> Option<Self> {
        let stem = path
            .file_name()?
            .strip_prefix(PREFIX)?
            .strip_suffix(SUFFIX)?;
        let (before, last) = stem.rsplit_once('-')?;
        let (time, number) = if is_time(last) {
            (last, 0)
        } else {
            let (_, time) = before.rsplit_once('-')?;
            (time, last.parse().ok()?)
        };
        is_time(time).then(|| Self {
            time: time.to_owned(),
            number,
            path: path.to_owned(),
        })
    }
}

/// `yyyymmddThhmmssZ`.
fn is_time(text: &str) -> bool {
    text.len() == 16
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// The name of a snapshot; `number` 0 has none.
pub(crate) fn name(version: Option<&str>, now: OffsetDateTime, number: u32) -> String {
    let version: String = version
        .unwrap_or("none")
        .chars()
        .take(MAX_VERSION)
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '+' | '-' => letter,
            _ => '_',
        })
        .collect();
    let number = if number == 0 {
        String::new()
    } else {
        format!("-{number}")
    };
    format!("{PREFIX}{version}-{}{number}{SUFFIX}", compact(now))
}

/// `yyyymmddThhmmssZ`: as text in the order of time.
pub(crate) fn compact(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year().clamp(0, 9999),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// The snapshots, newest first; none where there is no directory. Files of other names are not
/// ours.
pub(crate) fn list(directory: &Utf8Path) -> Result<Vec<SnapshotFile>, Fault> {
    let mut files: Vec<SnapshotFile> = entries(directory)?
        .iter()
        .filter_map(|path| SnapshotFile::of(path))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}

/// Removes what a killed run left of a snapshot that was never finished.
pub(crate) fn remove_leftovers(directory: &Utf8Path) -> Result<(), Fault> {
    for path in entries(directory)? {
        let ours = path.file_name().is_some_and(|name| {
            name.starts_with(TEMPORARY_PREFIX)
                && (name.ends_with(TEMPORARY_SUFFIX) || name.ends_with(".tmp-journal"))
        });
        if ours {
            remove_file(&path).or_io(|| format!("removing the unfinished snapshot {path}"))?;
        }
    }
    Ok(())
}

fn entries(directory: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Fault> {
    let what = || format!("listing the snapshots in {directory}");
    let entries = match directory.read_dir_utf8() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.or_io(what)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => paths.push(entry.into_path()),
            // A name that is not UTF-8 is none of ours.
            Err(error) if error.kind() == ErrorKind::InvalidData => {}
            Err(error) => return Err(Fault::io(what(), error)),
        }
    }
    Ok(paths)
}

/// Whether both files have the same bytes.
pub(crate) fn same_bytes(a: &Utf8Path, b: &Utf8Path) -> Result<bool, Fault> {
    let open = |path: &Utf8Path| File::open(path).or_io(|| format!("reading the snapshot {path}"));
    let (mut a_file, mut b_file) = (open(a)?, open(b)?);
    let comparing = || format!("comparing the snapshots {a} and {b}");
    if a_file.metadata().or_io(comparing)?.len() != b_file.metadata().or_io(comparing)?.len() {
        return Ok(false);
    }
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    loop {
        for (file, bytes) in [(&mut a_file, &mut ours), (&mut b_file, &mut others)] {
            bytes.clear();
            file.take(CHUNK).read_to_end(bytes).or_io(comparing)?;
        }
        if ours != others {
            return Ok(false);
        }
        if ours.is_empty() {
            return Ok(true);
        }
    }
}

/// The version that stands inside; `None` where it cannot be told. Nothing is written, whatever
/// state the file is in.
pub(crate) fn version_inside(path: &Utf8Path) -> Option<String> {
    // Immutable: no lock, no journal, no write-ahead log is looked for.
    let uri = format!("file:{}?immutable=1", escaped(path));
    let connection = Connection::open_with_flags(
        uri,
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .ok()?;
    node::version(&connection)
}

/// The path as SQLite's URI file names need it.
pub(crate) fn escaped(path: &Utf8Path) -> String {
    path.as_str().bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    #[test]
    fn a_name_reads_back_in_order() {
        let now = at("2026-11-24T06:51:28+02:00");
        let first = name(Some("1.0.0-rc.1"), now, 0);
        assert_eq!(first, "trustpoint-1.0.0-rc.1-20261124T045128Z.db");
        let second = name(None, now, 12);
        assert_eq!(second, "trustpoint-none-20261124T045128Z-12.db");
        let parse = |name: &str| SnapshotFile::of(Utf8Path::new(name)).unwrap();
        assert!(parse(&first) < parse(&second));
    }

    #[test]
    fn a_version_cannot_lead_out_of_the_directory() {
        let text = name(Some("../../etc/x y\n"), at("2026-11-24T06:51:28Z"), 0);
        assert_eq!(text, "trustpoint-.._.._etc_x_y_-20261124T065128Z.db");
    }

    #[test]
    fn other_files_are_no_snapshots() {
        for name in [
            "trustpoint.db",
            "trustpoint-1.0.0.db",
            "trustpoint-1.0.0-20261124T065128Z.db-journal",
            ".trustpoint-x.tmp",
            "x-1.0.0-20261124T065128Z.db",
        ] {
            assert_eq!(SnapshotFile::of(Utf8Path::new(name)), None, "{name}");
        }
    }
}
