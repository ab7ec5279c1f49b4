//! A line for people, and how a terminal, a file or a log shows it.

use anstyle::Style;

use crate::screen;
use crate::visible::visible;

/// How a stream shows a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether our words have colours.
    pub is_colored: bool,
    /// A terminal breaks a long line in the middle of a word; a file or a log keeps it whole.
    pub is_wrapped: bool,
}

/// A line for people: nothing in it steers the terminal but our own colours.
#[derive(Clone, Debug)]
pub struct Line {
    /// What stands before the mark.
    before: String,
    /// A word of ours, in its style.
    mark: String,
    style: Style,
    text: String,
    layout: Layout,
}

/// Whether a line is broken where it is too long for a screen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layout {
    /// At a terminal.
    AtTerminal,
    /// Everywhere.
    Wrapped,
    /// Nowhere.
    Whole,
}

impl Line {
    /// Without a mark.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::marked("", Style::new(), text)
    }

    /// A word of ours in its style, then the text.
    #[must_use]
    pub fn marked(mark: &str, style: Style, text: &str) -> Self {
        Self {
            before: String::new(),
            mark: mark.to_owned(),
            style,
            text: visible(text),
            layout: Layout::AtTerminal,
        }
    }

    /// The same after this.
    #[must_use]
    pub fn after(self, before: &str) -> Self {
        let before = before.to_owned();
        Self { before, ..self }
    }

    /// Never broken: it is to be copied, or it is laid out already.
    #[must_use]
    pub fn whole(self) -> Self {
        let layout = Layout::Whole;
        Self { layout, ..self }
    }

    /// Broken everywhere.
    #[must_use]
    pub fn wrapped(self) -> Self {
        let layout = Layout::Wrapped;
        Self { layout, ..self }
    }

    /// As a stream of this look shows it.
    #[must_use]
    pub fn shown(&self, look: Look) -> Vec<String> {
        let breaks = match self.layout {
            Layout::AtTerminal => look.is_wrapped,
            Layout::Wrapped => true,
            Layout::Whole => false,
        };
        let head = format!("{}{}", self.before, self.mark);
        let mut lines = if breaks {
            let text = self.text.trim_start();
            let gap = self.text.len() - text.len();
            screen::beside(&head, head.chars().count() + gap, text)
        } else {
            vec![format!("{head}{}", self.text)]
        };
        if let Some(first) = lines.first_mut()
            && look.is_colored
            && !self.mark.is_empty()
        {
            let style = self.style;
            let mark = format!("{}{style}{}{style:#}", self.before, self.mark);
            *first = first.replacen(&head, &mark, 1);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Look = Look {
        is_colored: true,
        is_wrapped: true,
    };

    fn long() -> Line {
        let text = format!(" {}", "word ".repeat(30).trim_end());
        Line::marked("warning:", Style::new().bold(), &text)
    }

    #[test]
    fn a_terminal_gets_lines_that_fit_and_a_log_gets_one() {
        let shown = long().shown(TERMINAL);
        assert!(shown.len() > 1);
        assert!(shown[1].starts_with("         word"), "{}", shown[1]);
        assert_eq!(long().shown(Look::default()).len(), 1);
        assert_eq!(long().whole().shown(TERMINAL).len(), 1);
        assert!(long().wrapped().shown(Look::default()).len() > 1);
    }

    #[test]
    fn the_mark_alone_is_coloured() {
        let shown = Line::marked("done", Style::new().bold(), "  step").shown(TERMINAL);
        assert_eq!(shown, ["\u{1b}[1mdone\u{1b}[0m  step"]);
        let hostile = Line::of("\u{1b}[2J").shown(TERMINAL);
        assert!(!hostile[0].contains('\u{1b}'), "{hostile:?}");
    }
}
