//! Texts out of a database, and SQLite's words about them, as they are shown to people.

use std::borrow::Cow;

use ports::Cause;
use rusqlite::Error;

/// Up to here a text out of a database is shown.
const SHOWN: usize = 120;
/// The same of what SQLite says, its own words included.
const CAUSE: usize = 500;

/// An error as a cause: SQLite repeats names and texts out of the database in it, of any length.
pub(crate) fn reason(error: Error) -> Cause {
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
