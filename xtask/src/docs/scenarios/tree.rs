//! The upper half: from the database to a start-up scenario, from storage, wizard and DEK to a
//! restore, and from there to its outcome. One row for each restore, one column for each question.

use domain::StartupScenario;

use super::{MARGIN, WIDTH, chip};
use crate::docs::facts::{Answer, Facts, Follows};
use crate::svg::{Anchor, Rect, Svg};

/// The second table.
pub type Rows = [(Facts, Answer)];

/// A column of boxes.
#[derive(Clone, Copy)]
struct Column {
    x: i32,
    width: i32,
}

impl Column {
    const fn after(before: Self, gap: i32, width: i32) -> Self {
        Self {
            x: before.x + before.width + gap,
            width,
        }
    }

    const fn rect(self, middle: i32, height: i32) -> Rect {
        Rect {
            x: self.x,
            y: middle - height / 2,
            width: self.width,
            height,
        }
    }
}

const STARTUP: Column = Column {
    x: MARGIN,
    width: 176,
};
const STORAGE: Column = Column::after(STARTUP, 40, 84);
const WIZARD: Column = Column::after(STORAGE, 16, 64);
const DEK: Column = Column::after(WIZARD, 16, 68);
const RESTORE: Column = Column::after(DEK, 16, 332);
const OUTCOME: Column = Column::after(RESTORE, 18, 116);
const _: () = assert!(OUTCOME.x + OUTCOME.width + MARGIN == WIDTH);

/// The line that gathers what goes on to a restore, between the start-up scenarios and the storages.
const BUS: i32 = STARTUP.x + STARTUP.width + 16;

/// From the top: title, questions, the first scenario.
const TITLE: i32 = 28;
const QUESTIONS: i32 = 56;
const FIRST: i32 = 98;
/// From one start-up scenario that stands alone to the next.
const STARTUP_PITCH: i32 = 50;
const STARTUP_HEIGHT: i32 = 36;
/// From one row of the second table to the next.
const PITCH: i32 = 30;
const HEIGHT: i32 = 22;
/// How far the two lines out of one box are from its middle.
const APART: i32 = 9;

/// What stands where.
pub struct Layout {
    /// Rows of the second table.
    rows: i32,
}

impl Layout {
    pub fn of(rows: &Rows) -> Self {
        Self {
            rows: i32::try_from(rows.len()).unwrap_or(0),
        }
    }

    /// The middle of a row of the second table.
    fn row(&self, number: usize) -> i32 {
        FIRST + 2 * STARTUP_PITCH + 4 + i32::try_from(number).unwrap_or(0) * PITCH
    }

    /// The middle of a start-up scenario. Those that never restore, or not always, stand above and
    /// below the rows of the second table, so that their lines go straight across.
    fn startup(&self, startup: StartupScenario) -> i32 {
        let tree = self.row(0);
        let height = (self.rows - 1) * PITCH;
        match startup {
            StartupScenario::DbNotInitialized => FIRST,
            StartupScenario::DbInitializedNoVersion => FIRST + STARTUP_PITCH,
            StartupScenario::VersionMatch => tree + height / 3,
            StartupScenario::VersionUpgrade => tree + height * 2 / 3,
            StartupScenario::VersionDowngrade => tree + height + STARTUP_PITCH,
        }
    }

    /// Where the upper half ends.
    pub fn bottom(&self) -> i32 {
        self.startup(StartupScenario::VersionDowngrade) + STARTUP_HEIGHT / 2
    }

    pub fn draw(&self, svg: &mut Svg, follows: &[(StartupScenario, Follows)], rows: &Rows) {
        svg.text(
            "title",
            (MARGIN, TITLE),
            Anchor::Start,
            "What a start finds, and what it ends with",
        );
        for (column, first, second) in [
            (STARTUP, "Which database?", "start-up scenario"),
            (STORAGE, "Which", "storage?"),
            (WIZARD, "Wizard", "completed?"),
            (DEK, "DEK", "accessible?"),
            (RESTORE, "Restore scenario", ""),
            (OUTCOME, "Outcome", ""),
        ] {
            let x = column.x + column.width / 2;
            svg.text("question", (x, QUESTIONS), Anchor::Middle, first);
            svg.text("question", (x, QUESTIONS + 13), Anchor::Middle, second);
        }
        self.draw_startups(svg, follows);
        self.draw_rows(svg, rows);
    }

    fn draw_startups(&self, svg: &mut Svg, follows: &[(StartupScenario, Follows)]) {
        for (startup, follows) in follows {
            let middle = self.startup(*startup);
            let rect = STARTUP.rect(middle, STARTUP_HEIGHT);
            svg.rect("box", rect);
            let (x, _) = rect.middle();
            svg.name((x, middle - 3), Anchor::Middle, startup.name());
            svg.text("note", (x, middle + 12), Anchor::Middle, database(*startup));
            let (right, _) = rect.right();
            let apart = if follows.ends.is_some() && follows.restores {
                APART
            } else {
                0
            };
            if let Some(outcome) = follows.ends {
                let y = middle - apart;
                svg.arrow(&[(right, y), (OUTCOME.x, y)]);
                svg.text("note", (STORAGE.x, y - 5), Anchor::Start, at_once(*startup));
                chip(svg, OUTCOME.rect(y, HEIGHT), outcome);
            }
            if follows.restores {
                svg.line(&[(right, middle + apart), (BUS, middle + apart)]);
            }
            if apart > 0 {
                svg.text(
                    "note",
                    (STORAGE.x, middle + apart + 4),
                    Anchor::Start,
                    RESTORES_AFTER_ALL,
                );
            }
        }
        // One line gathers them, as far down as the last storage.
        let (first, last) = (
            self.startup(StartupScenario::DbInitializedNoVersion),
            self.last(),
        );
        svg.line(&[(BUS, first + APART), (BUS, last)]);
    }

    fn last(&self) -> i32 {
        self.row(0) + (self.rows - 1) * PITCH
    }

    /// From the gathering line through each question to the scenario and its outcome.
    fn draw_rows(&self, svg: &mut Svg, rows: &Rows) {
        for (number, (facts, answer)) in rows.iter().enumerate() {
            let words = words(facts);
            let mut from = (BUS, self.middle(rows, number, 0));
            for (level, (column, word)) in [STORAGE, WIZARD, DEK].into_iter().zip(words).enumerate()
            {
                if word.is_empty() {
                    continue;
                }
                let rect = column.rect(self.middle(rows, number, level), HEIGHT);
                if self.is_first(rows, number, level) {
                    connect(svg, from, rect.left());
                    svg.rect("box", rect);
                    let (x, y) = rect.middle();
                    svg.text("", (x, y + 4), Anchor::Middle, word);
                }
                from = rect.right();
            }
            let middle = self.row(number);
            let rect = RESTORE.rect(middle, HEIGHT);
            connect(svg, from, rect.left());
            match answer.scenario {
                Ok(restore) => {
                    svg.rect("box", rect);
                    svg.name((rect.x + 5, middle + 4), Anchor::Start, restore.name());
                }
                Err(refusal) => {
                    svg.rect("failed", rect);
                    let text = format!("none: {refusal}");
                    svg.text("", (rect.x + 5, middle + 4), Anchor::Start, &text);
                }
            }
            svg.arrow(&[rect.right(), (OUTCOME.x, middle)]);
            chip(svg, OUTCOME.rect(middle, HEIGHT), answer.outcome);
        }
    }

    /// The middle of the rows that have the same answers up to this question.
    fn middle(&self, rows: &Rows, number: usize, level: usize) -> i32 {
        let same = same(rows, number, level);
        let [first, last] =
            [same.first(), same.last()].map(|row| self.row(row.copied().unwrap_or(number)));
        (first + last) / 2
    }

    fn is_first(&self, rows: &Rows, number: usize, level: usize) -> bool {
        same(rows, number, level).first() == Some(&number)
    }
}

/// The rows that have the same answers as this one, up to this question.
fn same(rows: &Rows, number: usize, level: usize) -> Vec<usize> {
    let answers = |number: usize| {
        let (facts, _) = rows.get(number)?;
        Some(words(facts).into_iter().take(level + 1).collect::<Vec<_>>())
    };
    let own = answers(number);
    (0..rows.len())
        .filter(|other| answers(*other) == own)
        .collect()
}

/// An arrow that goes up or down half way.
fn connect(svg: &mut Svg, from: (i32, i32), to: (i32, i32)) {
    if from.1 == to.1 {
        return svg.arrow(&[from, to]);
    }
    // Near its end, so that it passes below the column that it leaves out.
    let x = to.0 - 10;
    svg.arrow(&[from, (x, from.1), (x, to.1), to]);
}

/// The answers to the three questions, in plain words.
fn words(facts: &Facts) -> [&'static str; 3] {
    let wizard = match facts.wizard {
        "completed" => "yes",
        "incomplete" => "no",
        // Nobody asks for the wizard of a node without a storage.
        _ if facts.storage == "none" => "",
        _ => "either",
    };
    let dek = match facts.dek {
        "cached" => "yes",
        "not cached" => "no",
        other => other,
    };
    [facts.storage, wizard, dek]
}

/// What the database is like in this scenario.
const fn database(startup: StartupScenario) -> &'static str {
    match startup {
        StartupScenario::DbNotInitialized => "there is none yet",
        StartupScenario::DbInitializedNoVersion => "no start ever ended on it",
        StartupScenario::VersionMatch => "of the program's version",
        StartupScenario::VersionUpgrade => "older: snapshot, then migrate",
        StartupScenario::VersionDowngrade => "newer than the program",
    }
}

/// Why a start ends without a restore in this scenario; empty where it never does.
const fn at_once(startup: StartupScenario) -> &'static str {
    match startup {
        StartupScenario::DbNotInitialized => {
            "a new node: the database is made, the setup page opens"
        }
        StartupScenario::DbInitializedNoVersion => "never set up",
        StartupScenario::VersionDowngrade => "nothing is changed",
        StartupScenario::VersionMatch | StartupScenario::VersionUpgrade => "",
    }
}

/// When the scenario that can do both goes on to a restore.
const RESTORES_AFTER_ALL: &str = "set up before: goes on below";

#[cfg(test)]
mod tests {
    use domain::RestoreScenario;

    use super::*;
    use crate::docs::facts;
    use crate::docs::space::{Case, program};
    use crate::svg::name_width;

    #[test]
    fn every_name_fits_into_its_box() {
        for startup in StartupScenario::ALL {
            assert!(
                name_width(startup.name()) + 10 <= STARTUP.width,
                "{startup}"
            );
        }
        for restore in RestoreScenario::ALL {
            assert!(
                name_width(restore.name()) + 10 <= RESTORE.width,
                "{restore}"
            );
        }
    }

    #[test]
    fn rows_with_the_same_answer_stand_together() {
        let rows = facts::restores().unwrap();
        for number in 0..rows.len() {
            for level in 0..3 {
                let same = same(&rows, number, level);
                assert_eq!(
                    same.len(),
                    same[same.len() - 1] - same[0] + 1,
                    "{number} {level}"
                );
            }
        }
    }

    #[test]
    fn who_has_no_version_record_restores_where_the_picture_says_so() {
        for case in Case::all() {
            let observed = case.observed();
            let selection = domain::select(&observed, &program());
            let has_storage = !matches!(case.storage, domain::Storage::NotConfigured { .. })
                && !observed.is_refused_hsm_storage();
            if selection.startup == StartupScenario::DbInitializedNoVersion && has_storage {
                let said = observed.is_wizard_completed();
                assert_eq!(selection.restore.is_some(), said, "{case:?}");
            }
        }
    }
}
