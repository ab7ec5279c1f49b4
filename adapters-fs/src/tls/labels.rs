//! The lines that PEM blocks begin and end with.

/// How many lines of hyphens there are, where each is exactly a label. Text around the blocks is a
/// comment (RFC 7468, section 5.2), and to a lenient reader so is a block whose label is damaged:
/// what it holds would be missing without a word.
pub(super) fn count(text: &str) -> Option<usize> {
    // What is white space to one reader is not to another.
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return None;
    }
    let mut labels = 0;
    for line in text.lines().filter(|line| line.contains(HYPHENS)) {
        let label = line
            .trim_ascii_end()
            .strip_prefix(HYPHENS)?
            .strip_suffix(HYPHENS)?;
        let name = label
            .strip_prefix("BEGIN ")
            .or_else(|| label.strip_prefix("END "))?;
        if name.contains(HYPHENS) {
            return None;
        }
        labels += 1;
    }
    Some(labels)
}

const HYPHENS: &str = "-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_whole_line() {
        let right = "a comment\r\n-----BEGIN X-----\r\nAA==\n-----END X----- \n\nmore";
        assert_eq!(count(right), Some(2));
        for wrong in [
            "-----BEGIN X----,",
            "-----BEGIO X-----",
            "=----BEGIN X-----",
            " -----BEGIN X-----",
            "-----END X-----*",
            "-----END X-----\u{b}",
            "-----END X----------BEGIN X-----",
        ] {
            assert_eq!(count(wrong).unwrap_or_default(), 0, "{wrong}");
        }
    }
}
