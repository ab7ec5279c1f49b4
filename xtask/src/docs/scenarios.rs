//! `docs/pictures/scenarios.svg`: the sixteen scenarios, how a start comes to each, and what leads
//! from one outcome to another. What is drawn comes from [`facts`]; the words stand here.

mod outcomes;
mod tree;

use domain::Outcome;

use super::{Document, facts};
use crate::run::Result;
use crate::svg::{Anchor, Svg};

/// Width of the picture: shown at 900, its letters are still about ten pixels high.
const WIDTH: i32 = 970;
/// What is left free at each side.
const MARGIN: i32 = 12;

const TITLE: &str = "The sixteen scenarios of a start, and what leads from one outcome to another";

const STYLE: &str = "\
text { font: 11px 'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1b1f24 }
.name, .command { font: bold 10px 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace }
.title { font-size: 15px; font-weight: bold }
.question { font-weight: bold }
.note { font-size: 10px; fill: #474f58 }
.ground { fill: #ffffff; stroke: #c9ced6 }
.line { fill: none; stroke: #57606a; stroke-width: 1.3 }
.arrow { marker-end: url(#head) }
.head, .start { fill: #57606a }
.box { fill: #f3f4f6; stroke: #57606a }
.ready { fill: #d5f0db; stroke: #2b7a3d }
.setup_required { fill: #d9e8fb; stroke: #1f5fa8 }
.recovery_required { fill: #fdebc8; stroke: #a06400 }
.refused { fill: #fadbd8; stroke: #b3261e }
.failed { fill: #e4e6e9; stroke: #57606a; stroke-dasharray: 4 3 }
";

/// The picture.
pub fn document() -> Result<Document> {
    let (follows, rows) = (facts::follows()?, facts::restores()?);
    let tree = tree::Layout::of(&rows);
    let outcomes = outcomes::Layout::below(tree.bottom());
    let mut svg = Svg::new(WIDTH, outcomes.bottom());
    tree.draw(&mut svg, &follows, &rows);
    outcomes.draw(&mut svg);
    let text = svg.finish(TITLE, &description(&follows, &rows), STYLE);
    Ok(Document {
        path: "docs/pictures/scenarios.svg".to_owned(),
        text,
    })
}

/// What the picture shows, for who cannot see it.
fn description(follows: &[(domain::StartupScenario, facts::Follows)], rows: &tree::Rows) -> String {
    let mut text = String::from("By the database, a start is in one of five scenarios: ");
    let startups = follows.iter().map(|(startup, follows)| {
        let ends = follows
            .ends
            .map(|outcome| format!("ends {}", outcome.name()));
        let restores = follows.restores.then(|| "goes on to a restore".to_owned());
        let both: Vec<String> = ends.into_iter().chain(restores).collect();
        format!("{startup} {}", both.join(" or "))
    });
    text.push_str(&startups.collect::<Vec<_>>().join("; "));
    text.push_str(". By storage, wizard and DEK, a restore is one of eleven: ");
    let restores = rows.iter().filter_map(|(_, answer)| {
        let restore = answer.scenario.ok()?;
        Some(format!("{restore} ends {}", answer.outcome.name()))
    });
    text.push_str(&restores.collect::<Vec<_>>().join("; "));
    text.push_str(". Between the outcomes: ");
    text.push_str(outcomes::IN_WORDS);
    text
}

/// A coloured box with the name of an outcome.
fn chip(svg: &mut Svg, rect: crate::svg::Rect, outcome: Outcome) {
    svg.rect(outcome.name(), rect);
    let (x, y) = rect.middle();
    svg.name((x, y + 4), Anchor::Middle, outcome.name());
}

#[cfg(test)]
mod tests {
    use domain::{RestoreScenario, StartupScenario};

    use super::*;

    #[test]
    fn every_scenario_and_outcome_is_drawn_by_its_full_name() {
        let text = document().unwrap().text;
        let names = StartupScenario::ALL.map(StartupScenario::name);
        let restores = RestoreScenario::ALL.map(RestoreScenario::name);
        let outcomes = Outcome::ALL.map(Outcome::name);
        for name in names.iter().chain(&restores).chain(&outcomes) {
            assert!(text.contains(&format!(">{name}</text>")), "{name}");
        }
    }
}
