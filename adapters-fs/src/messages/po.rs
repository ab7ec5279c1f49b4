//! Catalogues as text, as GNU gettext 0.21's `msgfmt` reads them: strict, and with the line of
//! each error. What a program would not show is left out (fuzzy and untranslated entries).

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{self, Keyword, Line};

/// Between a context and its message, in a `.mo`.
const CONTEXT_END: u8 = 0x04;

/// Translations by key, both as they stand in a `.mo`.
pub(super) type Catalogue = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a catalogue is wrong.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct ParseError {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// Reads a catalogue.
pub(super) fn parse(bytes: &[u8]) -> Result<Catalogue, ParseError> {
    let text = as_text(bytes)?;
    let mut parser = Parser::default();
    for (index, line) in text.split('\n').enumerate() {
        parser.number = index + 1;
        parser.line(line).map_err(|problem| ParseError {
            line: parser.number,
            problem,
        })?;
    }
    parser.finish().map_err(|problem| ParseError {
        line: parser.number,
        problem,
    })?;
    Ok(parser.catalogue)
}

fn as_text(bytes: &[u8]) -> Result<&str, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ParseError {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            problem: match charset(bytes) {
                Some(charset) => unsupported(&charset),
                None => "it is not UTF-8 (`msgconv --to-code=UTF-8` converts it)".to_owned(),
            },
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// An entry as far as it is read.
#[derive(Debug, Default)]
struct Entry {
    context: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    plural: Option<Vec<u8>>,
    texts: Vec<Vec<u8>>,
    is_fuzzy: bool,
}

#[derive(Debug, Default)]
struct Parser {
    number: usize,
    entry: Entry,
    /// `fuzzy` was read for the entry that comes next.
    is_next_fuzzy: bool,
    last: Option<Keyword>,
    catalogue: Catalogue,
    /// Every key, also of what is left out: context and message without the plural.
    seen: BTreeSet<Vec<u8>>,
}

impl Parser {
    fn line(&mut self, text: &str) -> Result<(), String> {
        match lexer::line(text)? {
            Line::Nothing => Ok(()),
            Line::Fuzzy => {
                self.is_next_fuzzy = true;
                Ok(())
            }
            Line::Keyword(keyword, bytes) => self.keyword(keyword, bytes),
            Line::More(bytes) => self.more(&bytes),
        }
    }

    fn keyword(&mut self, keyword: Keyword, bytes: Vec<u8>) -> Result<(), String> {
        let entry = &self.entry;
        let is_begin = match keyword {
            Keyword::Context => true,
            Keyword::Id => self.last != Some(Keyword::Context),
            _ => false,
        };
        if is_begin {
            self.finish()?;
            self.entry.is_fuzzy = std::mem::take(&mut self.is_next_fuzzy);
        } else {
            let is_in_order = match keyword {
                Keyword::Id => true,
                Keyword::Plural => self.last == Some(Keyword::Id),
                Keyword::Text => self.last == Some(Keyword::Id),
                Keyword::Form(0) => self.last == Some(Keyword::Plural),
                Keyword::Form(_) => matches!(self.last, Some(Keyword::Form(_))),
                Keyword::Context => false,
            };
            if !is_in_order {
                return Err(format!("{} is not expected here", name(keyword)));
            }
            if matches!(keyword, Keyword::Form(index) if index != entry.texts.len()) {
                return Err(format!(
                    "the plural forms are not in order: number {} is expected",
                    entry.texts.len()
                ));
            }
        }
        self.last = Some(keyword);
        match keyword {
            Keyword::Context => self.entry.context = Some(bytes),
            Keyword::Id => self.entry.id = Some(bytes),
            Keyword::Plural => self.entry.plural = Some(bytes),
            Keyword::Text | Keyword::Form(_) => self.entry.texts.push(bytes),
        }
        Ok(())
    }

    fn more(&mut self, bytes: &[u8]) -> Result<(), String> {
        let entry = &mut self.entry;
        let string = match self.last {
            None => None,
            Some(Keyword::Context) => entry.context.as_mut(),
            Some(Keyword::Id) => entry.id.as_mut(),
            Some(Keyword::Plural) => entry.plural.as_mut(),
            Some(Keyword::Text | Keyword::Form(_)) => entry.texts.last_mut(),
        };
        string
            .ok_or("a string stands before the first keyword")?
            .extend_from_slice(bytes);
        Ok(())
    }

    /// The entry is complete, because the next one begins or the file ends.
    fn finish(&mut self) -> Result<(), String> {
        let entry = std::mem::take(&mut self.entry);
        if self.last.take().is_none() {
            return Ok(());
        }
        let id = entry.id.ok_or("the msgid of the entry before is missing")?;
        let first = entry
            .texts
            .first()
            .ok_or("the msgstr of the entry before is missing")?;
        let is_header = entry.context.is_none() && id.is_empty();
        if is_header {
            ensure_charset(first)?;
        }
        let mut key = match entry.context {
            Some(mut context) => {
                context.push(CONTEXT_END);
                context
            }
            None => Vec::new(),
        };
        key.extend_from_slice(&id);
        if !self.seen.insert(key.clone()) {
            let shown = String::from_utf8_lossy(&id).into_owned();
            return Err(format!("the entry before, {shown:?}, stands there twice"));
        }
        let is_left_out = first.is_empty() || (entry.is_fuzzy && !is_header);
        if is_left_out {
            return Ok(());
        }
        if let Some(plural) = entry.plural {
            key.push(0);
            key.extend_from_slice(&plural);
        }
        self.catalogue.insert(key, entry.texts.join(&0));
        Ok(())
    }
}

/// The translations are copied as they are, so the header must name what they are.
fn ensure_charset(header: &[u8]) -> Result<(), String> {
    charset(header).map_or(Ok(()), |charset| Err(unsupported(&charset)))
}

/// The character set that a header names, where it is another than UTF-8 or a part of it.
fn charset(header: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(header).to_ascii_lowercase();
    let (_, rest) = header.split_once("charset=")?;
    let charset = rest
        .split(|c: char| c.is_whitespace() || matches!(c, ';' | '\\' | '"'))
        .next()
        .unwrap_or_default();
    let is_supported = matches!(charset, "utf-8" | "utf8" | "ascii" | "us-ascii" | "charset");
    (!is_supported).then(|| charset.to_owned())
}

fn unsupported(charset: &str) -> String {
    format!(
        "the header names the character set {charset:?}, and UTF-8 alone is supported (`msgconv \
         --to-code=UTF-8` converts it)"
    )
}

fn name(keyword: Keyword) -> String {
    match keyword {
        Keyword::Context => "msgctxt".to_owned(),
        Keyword::Id => "msgid".to_owned(),
        Keyword::Plural => "msgid_plural".to_owned(),
        Keyword::Text => "msgstr".to_owned(),
        Keyword::Form(index) => format!("msgstr[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ParseError {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn entries_become_keys_and_translations() {
        let text = r#"
# A comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#, c-format
msgid "a"
msgstr "A"

msgctxt "c"
msgid "a"
msgstr "CA"

msgid "one"
msgid_plural "many"
msgstr[0] "eins"
msgstr[1] "viele"

#, fuzzy
msgid "left out"
msgstr "x"
msgid "left out too"
msgstr ""
#~ msgid "gone"
#~ msgstr "weg"
"#;
        let catalogue = parse(text.as_bytes()).unwrap();
        let expected: Catalogue = [
            ("", "Content-Type: text/plain; charset=UTF-8\n"),
            ("a", "A"),
            ("c\u{4}a", "CA"),
            ("one\0many", "eins\0viele"),
        ]
        .map(|(key, text)| (key.into(), text.into()))
        .into();
        assert_eq!(catalogue, expected);
    }

    #[test]
    fn a_fuzzy_header_is_kept() {
        let text = "#, fuzzy\nmsgid \"\"\nmsgstr \"X: y\\n\"\nmsgid \"a\"\nmsgstr \"b\"\n";
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_do_not_count() {
        let text = "\u{feff}msgid \"a\"\r\nmsgstr \"b\"\r\n";
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 1);
        assert_eq!(parse(b"").unwrap().len(), 0);
    }

    #[test]
    fn an_error_has_its_line() {
        for (text, line) in [
            ("msgid \"a\"\nmsgstr \"b\n", 2),
            ("\n\nmsgid \"a\"\nmsgstr \"b\"\nmsgstr \"c\"\n", 5),
            ("msgid \"a\"\nmsgid \"b\"\n", 2),
            ("msgid \"a\"\n", 2),
            ("msgctxt \"a\"\nmsgstr \"b\"\n", 2),
            ("\"a\"\n", 1),
            ("msgstr \"a\"\n", 1),
            ("msgid \"a\"\nmsgstr[0] \"b\"\n", 2),
            ("msgid \"a\"\nmsgid_plural \"b\"\nmsgstr \"c\"\n", 3),
            ("msgid \"a\"\nmsgid_plural \"b\"\nmsgstr[1] \"c\"\n", 3),
            (
                "msgid \"a\"\nmsgid_plural \"b\"\nmsgstr[0] \"c\"\nmsgstr[2] \"d\"\n",
                4,
            ),
            ("msgid \"a\"\nmsgstr \"b\"\nmsgid \"a\"\nmsgstr \"c\"\n", 5),
            (
                "msgid \"\"\nmsgstr \"charset=ISO-8859-1\\n\"\nmsgid \"a\"\n",
                3,
            ),
        ] {
            assert_eq!(error(text).line, line, "{text}");
        }
        assert_eq!(
            parse(b"msgid \"a\"\nmsgstr \"\xe4\"\n").unwrap_err().line,
            2
        );
        let latin = b"msgid \"\"\nmsgstr \"charset=ISO-8859-1\\n\"\nmsgid \"a\"\nmsgstr \"\xe4\"\n";
        let error = parse(latin).unwrap_err();
        assert_eq!(error.line, 4);
        assert!(error.problem.contains("\"iso-8859-1\""), "{error:?}");
    }
}
