//! What is said of a file that is damaged, altered, or no database at all.

use std::borrow::Cow;

use camino::Utf8Path;
use ports::{Fault, FaultKind};
use rusqlite::{Error, ErrorCode};

use crate::sql_error::{RESTORE, class, fault};

/// Up to here a text out of a database is shown.
const SHOWN: usize = 120;
/// The same of what SQLite says, its own words included.
const CAUSE: usize = 500;

/// A file that is not SQLite.
pub(crate) fn not_sqlite(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the file {path} is no SQLite database"),
        "keep a copy of the file, check the configured path, then restore the newest snapshot or \
         a backup (`backup restore`)",
    )
}

/// One that is SQLite and not whole.
pub(crate) fn damaged(path: &Utf8Path, how: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the database {path} is damaged: {}", cut(how)),
        RESTORE,
    )
}

/// An error before the schema was found to be ours: all that SQLite has to say of it is then the
/// file's fault.
pub(crate) fn unreadable(path: &Utf8Path, error: Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_sqlite(path).because(reason(error)),
        Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) => {
            damaged(path, "SQLite cannot read it").because(reason(error))
        }
        _ if class(path, &error).0 == FaultKind::DataCorrupt => {
            damaged(path, "SQLite cannot read it").because(reason(error))
        }
        _ => fault(path, "reading", error),
    }
}

/// An error as a cause: SQLite repeats names and texts out of the database in it, of any length.
pub(crate) fn reason(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    let text = error.to_string();
    match text.char_indices().nth(CAUSE) {
        None => error.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

/// A text out of a database, not longer than a person wants to read.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let start = text.get(..end).unwrap_or_default();
            Cow::Owned(format!("{start}… ({} bytes)", text.len()))
        }
    }
}

/// A name out of a database: cut, in quotes, and without characters that a terminal obeys.
pub(crate) fn quoted(name: &str) -> String {
    format!("{:?}", cut(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_its_letters() {
        assert_eq!(cut("short"), "short");
        let long = "ä".repeat(5000);
        let shown = cut(&long);
        assert!(
            shown.starts_with("ää") && shown.ends_with("… (10000 bytes)"),
            "{shown}"
        );
        assert_eq!(shown.chars().filter(|letter| *letter == 'ä').count(), SHOWN);
        assert_eq!(quoted("a\u{1b}[2J\n"), r#""a\u{1b}[2J\n""#);
    }
}
