//! The files of the snapshot directory: `trustpoint-<version>-<UTC time>[-n].db` is what stood there
//! before an upgrade, `replaced-<version>-<UTC time>[-n].db` what a restore or a new DEK has replaced.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FileError, Purpose, ResultExt as _};
use rusqlite::{Connection, OpenFlags};
use time::{OffsetDateTime, UtcOffset};

use crate::node;
use crate::sqlite::db::Db;
use crate::sqlite::draft::escaped;
use crate::sqlite::path_state::JOURNALS;

const SUFFIX: &str = ".db";
const MAX_VERSION: usize = 64;

/// Why a snapshot was made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// An upgrade came next: the oldest are removed.
    Upgrade,
    /// A restore or a new DEK came next: it may be all that is left of a key, and is never removed
    /// here.
    Replaced,
}

impl From<Purpose> for Kind {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::BeforeUpgrade => Self::Upgrade,
            Purpose::KeepsKey => Self::Replaced,
        }
    }
}

impl Kind {
    const ALL: [Self; 2] = [Self::Upgrade, Self::Replaced];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Upgrade => "trustpoint-",
            Self::Replaced => "replaced-",
        }
    }
}

/// A snapshot by its name. Ordered by time, then by number.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SnapshotFile {
    time: String,
    number: u32,
    pub(crate) kind: Kind,
    pub(crate) path: Utf8PathBuf,
}

impl SnapshotFile {
    fn of(path: &Utf8Path) -> Option<Self> {
        let file_name = path.file_name()?.strip_suffix(SUFFIX)?;
        let (kind, stem) = Kind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, file_name.strip_prefix(kind.prefix())?)))?;
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
            kind,
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

/// The path of the next snapshot.
pub(crate) fn next(
    directory: &Utf8Path,
    kind: Kind,
    version: Option<&str>,
    now: OffsetDateTime,
) -> Result<Utf8PathBuf, FileError> {
    Ok(directory.join(name(kind, version, now, &taken(directory)?)))
}

/// Its number is beyond those of all that were made in its second.
fn name(kind: Kind, version: Option<&str>, now: OffsetDateTime, others: &[SnapshotFile]) -> String {
    let version: String = version
        .unwrap_or("none")
        .chars()
        .take(MAX_VERSION)
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '+' | '-' => letter,
            _ => '_',
        })
        .collect();
    let time = compact(now);
    let of_now = others.iter().filter(|other| other.time == time);
    let number = match of_now.map(|other| other.number).max() {
        None => String::new(),
        Some(last) => format!("-{}", last.saturating_add(1)),
    };
    format!("{}{version}-{time}{number}{SUFFIX}", kind.prefix())
}

/// `yyyymmddThhmmssZ`: as text in the order of time.
fn compact(at: OffsetDateTime) -> String {
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
pub(crate) fn list(directory: &Utf8Path) -> Result<Vec<SnapshotFile>, FileError> {
    let mut files: Vec<SnapshotFile> = entries(directory)?
        .iter()
        .filter_map(|path| SnapshotFile::of(path))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}

/// The names that are taken, also where only a part of what stood there is kept.
fn taken(directory: &Utf8Path) -> Result<Vec<SnapshotFile>, FileError> {
    let without_part = |path: &Utf8PathBuf| {
        let whole = JOURNALS
            .iter()
            .find_map(|part| path.as_str().strip_suffix(part));
        SnapshotFile::of(Utf8Path::new(whole.unwrap_or(path.as_str())))
    };
    Ok(entries(directory)?
        .iter()
        .filter_map(without_part)
        .collect())
}

fn entries(directory: &Utf8Path) -> Result<Vec<Utf8PathBuf>, FileError> {
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
            Err(error) => return Err(FileError::new(what(), error)),
        }
    }
    Ok(paths)
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
    node::version(&Db::new(path, &connection).tables())
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    fn parse(name: &str) -> SnapshotFile {
        SnapshotFile::of(Utf8Path::new(name)).unwrap()
    }

    #[test]
    fn names_of_one_second_are_in_the_order_in_which_they_were_given() {
        let now = at("2026-11-24T06:51:28+02:00");
        let mut files = Vec::new();
        for (kind, version, expected) in [
            (
                Kind::Upgrade,
                Some("1.6.0"),
                "trustpoint-1.6.0-20261124T045128Z.db",
            ),
            (
                Kind::Upgrade,
                Some("1.10.0-rc.1"),
                "trustpoint-1.10.0-rc.1-20261124T045128Z-1.db",
            ),
            (
                Kind::Replaced,
                Some("1.2.0"),
                "replaced-1.2.0-20261124T045128Z-2.db",
            ),
            (Kind::Upgrade, None, "trustpoint-none-20261124T045128Z-3.db"),
        ] {
            let next = name(kind, version, now, &files);
            assert_eq!(next, expected);
            let file = parse(&next);
            assert_eq!(file.kind, kind);
            assert!(files.iter().all(|other| *other < file), "{next}");
            files.push(file);
        }
        let later = name(Kind::Upgrade, None, at("2026-11-24T04:51:29Z"), &files);
        assert!(files.iter().all(|other| *other < parse(&later)));
    }

    #[test]
    fn a_version_cannot_lead_out_of_the_directory() {
        let now = at("2026-11-24T06:51:28Z");
        let text = name(Kind::Upgrade, Some("../../etc/x y\n"), now, &[]);
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
