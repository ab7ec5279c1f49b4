//! Text for a screen of 80 columns.

use textwrap::{Options, WordSplitter, wrap};

/// Columns of a line.
const WIDTH: usize = 80;
/// However far in the text begins.
const LEAST: usize = 20;

/// A space that no line is broken at.
const NO_BREAK: char = '\u{a0}';

/// The lines of `text` below `head`: the first stands beside it, all begin at the column `indent`.
/// A path or a URL, and a command between backticks, is on one line however long it is: it is there to
/// be copied.
#[must_use]
pub fn beside(head: &str, indent: usize, text: &str) -> Vec<String> {
    let width = WIDTH.saturating_sub(indent).max(LEAST);
    let text = with_breaks(text, width);
    // A date or a path is not broken at its hyphens.
    let options = Options::new(width)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    let mut lines: Vec<String> = wrap(&text, options)
        .into_iter()
        .map(|line| format!("{:indent$}{}", "", line.replace(NO_BREAK, " ")))
        .collect();
    if let Some(first) = lines.first_mut() {
        *first = format!("{head:indent$}{}", first.trim_start());
    }
    lines
}

/// The text with a space wherever a line may end, and nowhere else.
fn with_breaks(text: &str, width: usize) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| {
        if number % 2 == 1 {
            return part.replace(' ', &NO_BREAK.to_string());
        }
        let words = part.split(' ').map(|word| match word {
            path if path.contains('/') => path.to_owned(),
            // A fingerprint, where it is wider than a line.
            word => in_pieces(word, width),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    parts.collect::<Vec<_>>().join("`")
}

/// Pieces that fill a line each, but for the last.
fn in_pieces(word: &str, width: usize) -> String {
    let letters: Vec<char> = word.chars().collect();
    let pieces = letters.chunks(width).map(String::from_iter);
    pieces.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let long = "word ".repeat(60) + &"x".repeat(200);
        for line in beside("label", 20, &long) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn what_is_to_be_copied_is_not_broken() {
        for long in [
            format!("/var/lib/{}/trust-point.db", "directory/".repeat(12)),
            format!("https://pki.example.org/{}?a=b-c", "x".repeat(90)),
        ] {
            for before in 0..60 {
                let text = format!("{}{long}: it is damaged", "x ".repeat(before));
                let lines = beside("error:", 7, &text);
                let is_whole = |line: &String| line.contains(&long);
                assert_eq!(
                    lines.iter().filter(|line| is_whole(line)).count(),
                    1,
                    "{lines:?}"
                );
                let fits = |line: &String| line.chars().count() <= WIDTH;
                assert!(
                    lines.iter().all(|line| is_whole(line) || fits(line)),
                    "{lines:?}"
                );
            }
        }
    }

    #[test]
    fn a_command_is_not_broken() {
        let command = "`trustpointctl keys set-backup-password --lock-wait 5`";
        for before in 0..60 {
            let text = format!("{}{command} and more", "x ".repeat(before));
            let lines = beside("", 40, &text);
            assert!(lines.iter().any(|line| line.contains(command)), "{lines:?}");
        }
    }

    #[test]
    fn lines_stand_below_each_other() {
        let lines = beside("name", 8, &"word ".repeat(30));
        assert!(lines[0].starts_with("name    word word"));
        assert!(lines.len() > 1);
        assert!(
            lines[1..]
                .iter()
                .all(|line| line.starts_with("        word"))
        );
    }
}
