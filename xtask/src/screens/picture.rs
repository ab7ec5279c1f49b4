//! What a terminal shows, as a picture.

use anstyle_svg::{Term, WIN10_CONSOLE};

use super::pty::COLUMNS;
use super::story::Scene;
use crate::svg::escape;

/// Pixels of 80 columns.
const WIDTH: usize = 672;

/// The picture of a scene: the line that was typed, and what was shown.
pub fn of(scene: &Scene, shown: &str) -> String {
    let text = as_shown(&format!("$ {}\r\n{shown}", scene.typed));
    let picture = Term::new()
        .palette(WIN10_CONSOLE)
        .min_width_px(WIDTH)
        .render_svg(text.trim_end());
    with_title(&picture, scene)
}

/// The lines of the screen: what is longer goes on in the next one, wherever that breaks it.
fn as_shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut column = 0;
    let mut in_sequence = false;
    for letter in text.chars() {
        match letter {
            '\r' => continue,
            '\n' => column = 0,
            '\u{1b}' => in_sequence = true,
            // The program sends colours alone, and their sequences end so.
            'm' if in_sequence => in_sequence = false,
            _ if in_sequence => {}
            _ if column == COLUMNS => {
                shown.push('\n');
                column = 1;
            }
            _ => column += 1,
        }
        shown.push(letter);
    }
    shown
}

/// The same picture with a name and a text for who cannot see it, and a size that can be changed.
fn with_title(picture: &str, scene: &Scene) -> String {
    let Some((head, rest)) = picture.split_once('\n') else {
        return picture.to_owned();
    };
    let mut sizes = head.split('"').skip(1).step_by(2);
    let mut size = || sizes.next().unwrap_or_default().trim_end_matches("px");
    let (width, height) = (size(), size());
    // An opacity of its own is for whole texts alone; within a line only the fill has one.
    let rest = rest.replace(
        ".dimmed { opacity: 0.4; }",
        ".dimmed { fill-opacity: 0.6; }",
    );
    let (title, sentence) = (escape(scene.title), escape(scene.sentence));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description">
  <title id="title">{title}</title>
  <desc id="description">{sentence}</desc>
{rest}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::story::SCENES;

    #[test]
    fn a_long_line_goes_on_in_the_next_one() {
        let line = "x".repeat(80);
        assert_eq!(as_shown(&format!("{line}\r\ny")), format!("{line}\ny"));
        let colored = format!("\u{1b}[1m{line}\u{1b}[0myy");
        assert_eq!(as_shown(&colored), format!("\u{1b}[1m{line}\u{1b}[0m\nyy"));
    }

    #[test]
    fn a_picture_has_its_title_and_its_size() {
        let picture = of(&SCENES[0], "\u{1b}[32mdone\u{1b}[0m <&>\r\n");
        assert!(
            picture.contains(r#"width="692" height="56" viewBox="0 0 692 56""#),
            "{picture}"
        );
        assert!(picture.contains(">The first start</title>"), "{picture}");
        assert!(picture.contains("&lt;&amp;&gt;"), "{picture}");
    }
}
