//! The lower half: what leads from one outcome to another.

use domain::Outcome;

use super::{MARGIN, WIDTH};
use crate::svg::{Anchor, Rect, Svg};

const BOX: (i32, i32) = (190, 58);
/// Between the upper half, the heading and the first row of boxes.
const HEADING: i32 = 52;
const FIRST: i32 = 86;
/// From the first row of boxes to the second.
const PITCH: i32 = 168;
/// How far the two arrows between two boxes are from the middle.
const APART: i32 = 13;

/// What the arrows say, in one sentence each.
pub const IN_WORDS: &str = "setup makes a node ready; setup --reset begins setup again; a lost token \
     makes a ready node wait for recovery when it starts without its DEK; recover with the backup \
     password, or the old token brought back, makes it ready; an older program, or a physical HSM \
     without hsm.physical, is refused until the newer program runs again or a backup is restored; a start that failed is \
     repeated when its cause is mended.";

/// From one line of text to the next.
const LINE: i32 = 13;

/// A line of text and its class.
type Label = (&'static str, &'static str);

/// What stands where.
pub struct Layout {
    top: i32,
}

impl Layout {
    pub fn below(bottom: i32) -> Self {
        Self { top: bottom }
    }

    pub fn bottom(&self) -> i32 {
        self.place(Outcome::Failed).y + BOX.1 + 62
    }

    fn place(&self, outcome: Outcome) -> Rect {
        let (width, height) = BOX;
        let (column, row) = match outcome {
            Outcome::SetupRequired => (0, 0),
            Outcome::Ready => (1, 0),
            Outcome::RecoveryRequired => (2, 0),
            Outcome::Failed => (0, 1),
            Outcome::Refused => (1, 1),
        };
        Rect {
            x: MARGIN + column * (WIDTH - 2 * MARGIN - width) / 2,
            y: self.top + FIRST + row * PITCH,
            width,
            height,
        }
    }

    pub fn draw(&self, svg: &mut Svg) {
        let heading = (MARGIN, self.top + HEADING);
        svg.text(
            "title",
            heading,
            Anchor::Start,
            "What leads from one outcome to another",
        );
        for outcome in Outcome::ALL {
            let rect = self.place(outcome);
            svg.rect(outcome.name(), rect);
            let (x, y) = rect.middle();
            svg.name((x, y - 12), Anchor::Middle, outcome.name());
            for (number, line) in (0..).zip(meaning(outcome)) {
                svg.text("note", (x, y + 5 + number * 14), Anchor::Middle, line);
            }
        }
        self.entry(svg);
        self.across(
            svg,
            (Outcome::SetupRequired, Outcome::Ready),
            [("command", "setup")],
            [("command", "setup --reset"), ("", "deletes nothing")],
        );
        self.across(
            svg,
            (Outcome::Ready, Outcome::RecoveryRequired),
            [("", "token lost, DEK not cached:"), ("command", "startup")],
            [
                ("command", "recover"),
                ("", "with the backup password;"),
                ("", "or the old token back:"),
                ("command", "startup"),
            ],
        );
        self.down(svg);
        self.notes(svg);
    }

    /// There above the middle, and back below it; the commands in the type of names.
    fn across<const THERE: usize, const BACK: usize>(
        &self,
        svg: &mut Svg,
        (left, right): (Outcome, Outcome),
        there: [Label; THERE],
        back: [Label; BACK],
    ) {
        let (from, middle) = self.place(left).right();
        let (to, _) = self.place(right).left();
        svg.arrow(&[(from, middle - APART), (to, middle - APART)]);
        svg.arrow(&[(to, middle + APART), (from, middle + APART)]);
        let x = (from + to) / 2;
        for (number, (class, line)) in (0..).zip(there.into_iter().rev()) {
            let y = middle - APART - 6 - number * LINE;
            svg.text(class, (x, y), Anchor::Middle, line);
        }
        for (number, (class, line)) in (0..).zip(back) {
            let y = middle + APART + 14 + number * LINE;
            svg.text(class, (x, y), Anchor::Middle, line);
        }
    }

    /// Where a new node comes in.
    fn entry(&self, svg: &mut Svg) {
        let rect = self.place(Outcome::SetupRequired);
        let x = rect.x + rect.width / 2;
        svg.arrow(&[(x, rect.y - 22), (x, rect.y)]);
        svg.text("command", (x + 8, rect.y - 11), Anchor::Start, "startup");
        svg.text("", (x + 56, rect.y - 11), Anchor::Start, "of a new node");
    }

    /// Between a ready node and a refusal.
    fn down(&self, svg: &mut Svg) {
        let (ready, refused) = (self.place(Outcome::Ready), self.place(Outcome::Refused));
        let (x, _) = ready.middle();
        let (top, bottom) = (ready.y + ready.height, refused.y);
        svg.arrow(&[(x - APART, top), (x - APART, bottom)]);
        svg.arrow(&[(x + APART, bottom), (x + APART, top)]);
        let y = (top + bottom) / 2;
        let lines = [
            (Anchor::End, x - APART - 8, BEFORE_A_REFUSAL),
            (Anchor::Start, x + APART + 8, AFTER_A_REFUSAL),
        ];
        for (anchor, x, labels) in lines {
            for (number, (class, line)) in (0..).zip(labels) {
                svg.text(class, (x, y + 6 + number * LINE), anchor, line);
            }
        }
    }

    fn notes(&self, svg: &mut Svg) {
        let y = self.place(Outcome::Failed).y + BOX.1 + 26;
        for (number, line) in (0..).zip(NOTES) {
            svg.text("note", (MARGIN, y + number * 15), Anchor::Start, line);
        }
    }
}

const BEFORE_A_REFUSAL: [Label; 4] = [
    ("", "an older program, or"),
    ("", "physical HSM storage"),
    ("", "without hsm.physical:"),
    ("command", "startup"),
];

const AFTER_A_REFUSAL: [Label; 4] = [
    ("", "the newer program, hsm.physical,"),
    ("", "or a backup first:"),
    ("command", "backup restore SNAPSHOT"),
    ("command", "startup"),
];

const NOTES: [&str; 2] = [
    "DEK: the key that seals the node's secrets. KEK: the key on the token that wraps the DEK. KEK lost: the token answers, our KEK is",
    "not on it, and a backup password is set. An HSM that does not answer is never taken for a lost KEK: that start fails (exit code 69).",
];

/// What an outcome means, and what a start exits with then.
const fn meaning(outcome: Outcome) -> [&'static str; 2] {
    match outcome {
        Outcome::Ready => ["the node can serve", "exit code 0"],
        Outcome::SetupRequired => ["serves its setup page", "exit code 0 (status: 10)"],
        Outcome::RecoveryRequired => ["waits for the backup password", "exit code 0 (status: 11)"],
        Outcome::Refused => ["nothing was changed", "exit codes 12, 13"],
        Outcome::Failed => [
            "HSM down, database missing, …:",
            "mend it, then startup again",
        ],
    }
}

#[cfg(test)]
mod tests {
    use crate::docs::scenarios::document;

    #[test]
    fn every_command_of_the_picture_is_one() {
        let picture = document().unwrap().text;
        let start = r#"<text class="command""#;
        let commands = picture.lines().filter(|line| line.starts_with(start));
        let mut count = 0;
        for line in commands {
            let command = line.split(['<', '>']).nth(2).unwrap();
            let words = std::iter::once("trustpointctl").chain(command.split(' '));
            let parsed = app_cli::cli::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{command}");
            count += 1;
        }
        assert!(count >= 5, "{count}");
    }

    #[test]
    fn the_exit_codes_of_the_picture_are_those_of_the_table() {
        let of = |kind: &str| {
            let mut rows = app_cli::exit_code::TABLE.iter();
            let row = rows.find(|row| row.kinds.iter().any(|own| own.name() == kind));
            row.unwrap().code
        };
        let picture = document().unwrap().text;
        for words in [
            format!("(status: {})", app_cli::exit_code::SETUP_REQUIRED),
            format!("(status: {})", app_cli::exit_code::RECOVERY_REQUIRED),
            format!(
                "exit codes {}, {}",
                of("version_downgrade"),
                of("storage_unsupported")
            ),
            format!("(exit code {})", of("hsm_unavailable")),
        ] {
            assert!(picture.contains(&words), "{words}");
        }
    }
}
