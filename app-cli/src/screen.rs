//! Text for a screen of 80 columns.

use textwrap::{Options, WordSplitter, wrap};

/// Columns of a line.
const WIDTH: usize = 80;
/// However far in the text begins.
const LEAST: usize = 20;

/// A space that no line is broken at.
const NO_BREAK: char = '\u{a0}';

/// The lines of `text` below `head`: the first stands beside it, all begin at the column `indent`.
/// A command between backticks is on one line, however long it is: it is there to be copied.
#[must_use]
pub fn beside(head: &str, indent: usize, text: &str) -> Vec<String> {
    let width = WIDTH.saturating_sub(indent).max(LEAST);
    let (text, longest) = with_whole_commands(text);
    // A date or a path is not broken at its hyphens.
    let options = Options::new(width)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(longest <= width);
    let mut lines: Vec<String> = wrap(&text, options)
        .into_iter()
        .map(|line| format!("{:indent$}{}", "", line.replace(NO_BREAK, " ")))
        .collect();
    if let Some(first) = lines.first_mut() {
        *first = format!("{head:indent$}{}", first.trim_start());
    }
    lines
}

/// The text with unbreakable commands, and the columns of the longest one.
fn with_whole_commands(text: &str) -> (String, usize) {
    let mut longest = 0;
    let parts = text.split('`').enumerate().map(|(number, part)| {
        if number % 2 == 0 {
            return part.to_owned();
        }
        longest = longest.max(part.chars().count() + 2);
        part.replace(' ', &NO_BREAK.to_string())
    });
    let parts: Vec<String> = parts.collect();
    (parts.join("`"), longest)
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
