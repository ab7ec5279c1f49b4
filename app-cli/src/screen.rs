//! Text for a screen of 80 columns.

use textwrap::{Options, WordSplitter, wrap};

/// Columns of a line.
const WIDTH: usize = 80;
/// However far in the text begins.
const LEAST: usize = 20;

/// The lines of `text` below `head`: the first stands beside it, all begin at the column `indent`.
#[must_use]
pub fn beside(head: &str, indent: usize, text: &str) -> Vec<String> {
    let width = WIDTH.saturating_sub(indent).max(LEAST);
    // A date or a path is not broken at its hyphens.
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    let mut lines: Vec<String> = wrap(text, options)
        .into_iter()
        .map(|line| format!("{:indent$}{line}", ""))
        .collect();
    if let Some(first) = lines.first_mut() {
        *first = format!("{head:indent$}{}", first.trim_start());
    }
    lines
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
