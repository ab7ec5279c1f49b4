//! One line of a `.po` file, and the strings in it.

/// What a line is.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Line {
    /// Empty, or a comment that says nothing to a compiler.
    Nothing,
    /// `#,` or `#=` with `fuzzy` among the flags.
    Fuzzy,
    /// A keyword with the first piece of its string.
    Keyword(Keyword, Vec<u8>),
    /// A further piece of the string before.
    More(Vec<u8>),
}

/// The keywords.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keyword {
    /// `msgctxt`
    Context,
    /// `msgid`
    Id,
    /// `msgid_plural`
    Plural,
    /// `msgstr`
    Text,
    /// `msgstr[N]`
    Form(usize),
}

/// Reads a line; the error says what is wrong with it.
pub(super) fn line(text: &str) -> Result<Line, String> {
    let text = text.trim_matches(is_blank);
    if text.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(comment) = text.strip_prefix('#') {
        return Ok(comment_line(comment));
    }
    if text.starts_with('"') {
        return strings(text).map(Line::More);
    }
    let end = text
        .find(|c: char| is_blank(c) || matches!(c, '"' | '['))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let (keyword, rest) = match word {
        "msgctxt" => (Keyword::Context, rest),
        "msgid" => (Keyword::Id, rest),
        "msgid_plural" => (Keyword::Plural, rest),
        "msgstr" => form(rest)?,
        "domain" => return Err("more than one domain in a file is not supported".to_owned()),
        _ => return Err(format!("keyword {word:?} is unknown")),
    };
    Ok(Line::Keyword(keyword, strings(rest)?))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c')
}

/// Obsolete entries (`#~`) and former ones (`#|`) are comments like any other.
fn comment_line(comment: &str) -> Line {
    let is_fuzzy = comment
        .strip_prefix([',', '='])
        .is_some_and(|flags| flags.split(',').any(|flag| flag.trim() == "fuzzy"));
    if is_fuzzy { Line::Fuzzy } else { Line::Nothing }
}

/// What follows `msgstr`: perhaps the number of a plural form.
fn form(rest: &str) -> Result<(Keyword, &str), String> {
    let trimmed = rest.trim_start_matches(is_blank);
    let Some(index) = trimmed.strip_prefix('[') else {
        return Ok((Keyword::Text, rest));
    };
    let (number, rest) = index
        .split_once(']')
        .ok_or("the `[` of a plural form is not closed")?;
    let number = number
        .trim_matches(is_blank)
        .parse()
        .map_err(|_| format!("{number:?} is no number of a plural form"))?;
    Ok((Keyword::Form(number), rest))
}

/// One or more strings in quotes, joined.
fn strings(text: &str) -> Result<Vec<u8>, String> {
    let mut rest = text.trim_start_matches(is_blank);
    if rest.is_empty() {
        return Err("a string in quotes is missing".to_owned());
    }
    let mut bytes = Vec::with_capacity(rest.len());
    loop {
        let inner = rest
            .strip_prefix('"')
            .ok_or("there is something outside of the quotes")?;
        rest = string(inner, &mut bytes)?.trim_start_matches(is_blank);
        // A comment takes the rest of the line.
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(bytes);
        }
    }
}

/// The inside of a string; returns what follows its closing quote.
fn string<'text>(inner: &'text str, bytes: &mut Vec<u8>) -> Result<&'text str, String> {
    let mut rest = inner;
    loop {
        let stop = rest
            .find(['"', '\\'])
            .ok_or("the string is not closed on its line")?;
        let (plain, tail) = rest.split_at(stop);
        bytes.extend_from_slice(plain.as_bytes());
        if let Some(after) = tail.strip_prefix('"') {
            return Ok(after);
        }
        rest = escape(tail.get(1..).unwrap_or_default(), bytes)?;
    }
}

/// What follows a backslash, as in C.
fn escape<'text>(text: &'text str, bytes: &mut Vec<u8>) -> Result<&'text str, String> {
    let first = text
        .chars()
        .next()
        .ok_or("the string is not closed on its line")?;
    let byte = match first {
        'n' => b'\n',
        't' => b'\t',
        'b' => 0x08,
        'r' => b'\r',
        'f' => 0x0c,
        'v' => 0x0b,
        'a' => 0x07,
        '\\' => b'\\',
        '"' => b'"',
        '0'..='7' => return number(text, 8, 3, bytes),
        'x' => return number(text.get(1..).unwrap_or_default(), 16, 2, bytes),
        _ => return Err(format!("`\\{first}` is no escape sequence")),
    };
    bytes.push(byte);
    Ok(text.get(1..).unwrap_or_default())
}

fn number<'text>(
    text: &'text str,
    radix: u32,
    most: usize,
    bytes: &mut Vec<u8>,
) -> Result<&'text str, String> {
    let length = text
        .bytes()
        .take(most)
        .take_while(|byte| char::from(*byte).is_digit(radix))
        .count();
    let (digits, rest) = text.split_at(length);
    let byte = u8::from_str_radix(digits, radix)
        .map_err(|_| "a number after a backslash is no byte".to_owned())?;
    if byte == 0 {
        return Err("a message cannot hold a zero byte".to_owned());
    }
    bytes.push(byte);
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn more(text: &str) -> Result<Vec<u8>, String> {
        match line(text)? {
            Line::More(bytes) => Ok(bytes),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn strings_are_joined_and_unescaped() {
        assert_eq!(more(r#""a" "b"  "" "c""#).unwrap(), b"abc");
        assert_eq!(
            more(r#""\n\t\b\r\f\v\a\\\"""#).unwrap(),
            b"\n\t\x08\r\x0c\x0b\x07\\\""
        );
        assert_eq!(more(r#""\101\x42\1019\xe4""#).unwrap(), b"ABA9\xe4");
        assert_eq!(more("\"a\" \"b # c\" # \"d\"").unwrap(), b"ab # c");
        assert_eq!(more("\"gr\u{fc}n\"").unwrap(), "grün".as_bytes());
    }

    #[test]
    fn keywords_need_no_blank_before_their_string() {
        for text in [
            "msgstr[1]\"x\"",
            "msgstr[1] \"x\"",
            "\tmsgstr [ 1 ] \"x\" \r",
        ] {
            assert_eq!(
                line(text),
                Ok(Line::Keyword(Keyword::Form(1), b"x".to_vec())),
                "{text}"
            );
        }
        assert_eq!(
            line("msgid\"x\""),
            Ok(Line::Keyword(Keyword::Id, b"x".to_vec()))
        );
    }

    #[test]
    fn comments_say_nothing_but_fuzzy() {
        for text in [
            "#",
            "# x",
            "#: a.c:1",
            "#. x",
            "#| msgid \"x\"",
            "#~ msgid",
            "#, c-format",
        ] {
            assert_eq!(line(text), Ok(Line::Nothing), "{text}");
        }
        for text in ["#, fuzzy", "#,fuzzy", "#, c-format, fuzzy", "#= fuzzy"] {
            assert_eq!(line(text), Ok(Line::Fuzzy), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for text in [
            "msgid",
            "msgid x",
            "msgid # \"x\"",
            "msgid \"x",
            "msgid \"x\\\"",
            "msgid \"x\" y",
            "msgid \"\\q\"",
            "msgid \"\\x\"",
            "msgid \"\\0\"",
            "msgid \"\\777\"",
            "msgstr[ \"x\"",
            "msgstr[a] \"x\"",
            "msgstr[-1] \"x\"",
            "msgid_x \"x\"",
            "domain \"x\"",
            "x",
        ] {
            assert!(line(text).is_err(), "{text}");
        }
    }
}
