//! Text of others on a terminal: what came from a database, a file name or a certificate must not
//! steer it, forge a line, or flood it.

/// Most characters of one text. What is longer holds a value that nobody reads to its end.
const MOST: usize = 1000;
/// How many of its last characters a text that is cut keeps: where it happened stands there.
const TAIL: usize = 300;

/// The text on one line, with every character that controls a terminal escaped, and cut in the
/// middle where it is very long.
#[must_use]
pub fn visible(text: &str) -> String {
    let length = text.chars().count();
    let mut shown = String::with_capacity(text.len().min(2 * MOST));
    if length <= MOST {
        text.chars().for_each(|letter| push(&mut shown, letter));
        return shown;
    }
    let head = text.chars().take(MOST - TAIL);
    head.for_each(|letter| push(&mut shown, letter));
    shown.push('…');
    let tail = text.chars().skip(length - TAIL);
    tail.for_each(|letter| push(&mut shown, letter));
    shown
}

/// The same for a text of several lines of our own.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn push(shown: &mut String, letter: char) {
    if is_steering(letter) {
        shown.extend(letter.escape_default());
    } else {
        shown.push(letter);
    }
}

/// The control characters below U+00A0, the line separators, and the controls of writing direction (UAX #9).
fn is_steering(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["", "größer, 中文, \"quoted\" \\n", &"a".repeat(MOST)] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn c21_no_control_character_is_left() {
        let controls = (0..=0xa0_u32).chain(0x600..0x620).chain(0x2000..0x2070);
        for letter in controls.filter_map(char::from_u32) {
            let shown = visible(&letter.to_string());
            assert!(!shown.chars().any(is_steering), "{:x}", u32::from(letter));
        }
        assert_eq!(
            visible("a\u{1b}[31m\nb\u{202e}"),
            "a\\u{1b}[31m\\nb\\u{202e}"
        );
        assert_eq!(visible_lines("a\u{9b}\nb"), "a\\u{9b}\nb");
    }

    #[test]
    fn a_huge_text_keeps_its_beginning_and_its_end() {
        let text = format!("begin{}end", "\u{1b}".repeat(1_000_000));
        let shown = visible(&text);
        assert!(shown.starts_with("begin") && shown.ends_with("end"));
        assert!(shown.contains('…') && shown.len() < 10 * MOST);
    }
}
