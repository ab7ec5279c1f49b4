//! Every name of the reference has its row in `docs/reference.md`, and what the row names exists.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;

const NAMES: &str = "docs/reference-names.txt";
const MAP: &str = "docs/reference.md";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(names), Some(map)) = (tree.file(NAMES), tree.file(MAP)) else {
        return [NAMES, MAP]
            .into_iter()
            .filter(|path| tree.file(path).is_none())
            .map(|path| Finding::new(path, 1, "is missing"))
            .collect();
    };
    let mut findings = Vec::new();
    let mut rows = BTreeMap::new();
    for (line, text) in map.lines() {
        let Some((name, place)) = row_of(text) else {
            continue;
        };
        if rows.insert(name, line).is_some() {
            findings.push(Finding::new(MAP, line, format!("a second row for {name}")));
        }
        for item in places(place) {
            if !exists(tree, item) {
                let message = format!("{name} is mapped to {item}, which is not there");
                findings.push(Finding::new(MAP, line, message));
            }
        }
        if places(place).next().is_none() {
            findings.push(Finding::new(
                MAP,
                line,
                format!("{name} is mapped to nothing"),
            ));
        }
    }
    for (line, name) in names.lines() {
        if !name.is_empty() && rows.remove(name).is_none() {
            findings.push(Finding::new(
                NAMES,
                line,
                format!("{name} has no row in {MAP}"),
            ));
        }
    }
    for (name, line) in rows {
        findings.push(Finding::new(
            MAP,
            line,
            format!("{name} is no name of the reference"),
        ));
    }
    findings
}

/// Name and place of a row ``| `name` | `place` | remark |``.
fn row_of(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let name = cells.next()?.trim_end().strip_suffix('`')?;
    Some((name, cells.next()?))
}

/// The paths in back quotes.
fn places(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether the crate that the path starts with has the path's last segment as a word, behind a
/// keyword that defines it, or as a variant or a field.
fn exists(tree: &Tree, item: &str) -> bool {
    let segments: Vec<&str> = item.split("::").collect();
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return false;
    };
    let folder = format!("{}/src/", first.replace('_', "-"));
    let is_module = |path: &str| {
        let below = path.strip_prefix(&folder).unwrap_or_default();
        below == format!("{last}.rs") || below.ends_with(&format!("/{last}.rs"))
    };
    tree.rust()
        .filter(|file| file.path.starts_with(&folder))
        .any(|file| is_module(&file.path) || file.text.lines().any(|line| defines(line, last)))
}

fn defines(line: &str, name: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with("//") {
        return false;
    }
    let code = code
        .strip_prefix("pub ")
        .or_else(|| code.strip_prefix("pub(crate) "))
        .unwrap_or(code);
    let code = [
        "const fn ",
        "fn ",
        "struct ",
        "enum ",
        "trait ",
        "const ",
        "static ",
        "mod ",
        "type ",
    ]
    .iter()
    .find_map(|keyword| code.strip_prefix(keyword))
    .unwrap_or(code);
    code.strip_prefix(name).is_some_and(|rest| {
        rest.starts_with(['(', '<', ':', ',', ';', ' ', '{']) && !rest.starts_with("::")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: (&str, &str) = (
        "domain/src/plan.rs",
        "pub enum Step {\n    CheckHsm,\n}\nimpl Step {\n    pub const fn name(self) {}\n}\n",
    );

    fn messages(names: &str, map: &str) -> Vec<String> {
        check(&Tree::of(&[(NAMES, names), (MAP, map), CODE]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_whole_map_is_whole() {
        let map = "| name | place | remark |\n| `A` | `domain::Step::CheckHsm` | |\n\
                   | `A.b` | `domain::Step::name`, `domain::plan` | differs |\n";
        assert_eq!(messages("A\nA.b\n", map), Vec::<String>::new());
    }

    #[test]
    fn each_gap_is_found() {
        let row = "| `A` | `domain::Step` | |\n";
        assert_eq!(
            messages("A\nB\n", row),
            ["docs/reference-names.txt:2: B has no row in docs/reference.md"]
        );
        assert_eq!(
            messages("", row),
            ["docs/reference.md:1: A is no name of the reference"]
        );
        assert_eq!(messages("A\n", &row.repeat(2)).len(), 1);
        assert_eq!(
            messages("A\n", "| `A` | `domain::Gone` | |\n"),
            ["docs/reference.md:1: A is mapped to domain::Gone, which is not there"]
        );
        assert_eq!(messages("A\n", "| `A` | nothing | |\n").len(), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 2);
    }
}
