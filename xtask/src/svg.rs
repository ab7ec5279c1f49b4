//! A small writer of SVG: boxes, text, and lines with an arrow head, in whole pixels. The picture has
//! a ground of its own, so that it reads the same on a light page and on a dark one.

/// Width of a letter of [`Svg::name`], whatever font the reader has: the text is set to that width.
pub const NAME_LETTER: i32 = 6;

/// Where a text stands from its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A box.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

impl Rect {
    /// The middle of the left side, where arrows come in.
    pub fn left(&self) -> (i32, i32) {
        (self.x, self.y + self.height / 2)
    }

    /// The middle of the right side, where lines go out.
    pub fn right(&self) -> (i32, i32) {
        (self.x + self.width, self.y + self.height / 2)
    }

    pub fn middle(&self) -> (i32, i32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
}

/// A picture that is being drawn.
pub struct Svg {
    size: (i32, i32),
    body: String,
}

impl Svg {
    pub fn new(width: i32, height: i32) -> Self {
        Self {
            size: (width, height),
            body: String::new(),
        }
    }

    /// A box of this class.
    pub fn rect(&mut self, class: &str, rect: Rect) {
        let Rect {
            x,
            y,
            width,
            height,
        } = rect;
        self.push(&format!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="5"/>"#
        ));
    }

    /// Text on one line; the point is on its base line.
    pub fn text(&mut self, class: &str, (x, y): (i32, i32), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(&format!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{}</text>"#,
            escape(text)
        ));
    }

    /// A name as the program spells it, always [`NAME_LETTER`] a letter wide.
    pub fn name(&mut self, (x, y): (i32, i32), anchor: Anchor, text: &str) {
        let width = name_width(text);
        let x = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2,
            Anchor::End => x - width,
        };
        self.push(&format!(
            r#"<text class="name" x="{x}" y="{y}" textLength="{width}" lengthAdjust="spacingAndGlyphs">{}</text>"#,
            escape(text)
        ));
    }

    /// A line through these points, without a head.
    pub fn line(&mut self, points: &[(i32, i32)]) {
        self.path("line", points);
    }

    /// The same with a head at its end.
    pub fn arrow(&mut self, points: &[(i32, i32)]) {
        self.path("line arrow", points);
    }

    fn path(&mut self, class: &str, points: &[(i32, i32)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let points = points.join(" ");
        self.push(&format!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The whole picture; `title` is its name, `description` says it to who cannot see it.
    pub fn finish(self, title: &str, description: &str, style: &str) -> String {
        let (width, height) = self.size;
        let (title, description) = (escape(title), escape(description));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description">
<title id="title">{title}</title>
<desc id="description">{description}</desc>
<style>
{style}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>
<rect class="ground" x="0" y="0" width="{width}" height="{height}" rx="8"/>
{}</svg>
"#,
            self.body
        )
    }
}

/// Pixels of a name.
pub fn name_width(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / NAME_LETTER) * NAME_LETTER
}

/// Text as it stands between tags.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let mut svg = Svg::new(10, 10);
        svg.text("note", (1, 2), Anchor::Start, "a < b & c");
        let text = svg.finish("t", "d > e", "");
        assert!(text.contains(">a &lt; b &amp; c</text>"), "{text}");
        assert!(text.contains("d &gt; e"), "{text}");
    }
}
