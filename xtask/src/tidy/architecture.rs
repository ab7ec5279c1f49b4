//! ARCHITECTURE.md says of every crate what must stay true of it, and what keeps it so.

use super::Finding;
use super::tree::{SourceFile, Tree};

const DOCUMENT: &str = "ARCHITECTURE.md";
const MARK: &str = "Architecture Invariant:";
const KEPT: &str = "Kept by";
const CRATES: [&str; 9] = [
    "domain",
    "ports",
    "adapters-hsm",
    "adapters-db",
    "adapters-fs",
    "adapters-web",
    "usecases",
    "app-cli",
    "xtask",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(DOCUMENT) else {
        return vec![Finding::new(DOCUMENT, 1, "is missing")];
    };
    let mut headings: Vec<(usize, &str, bool)> = Vec::new();
    for (line, text) in document.lines() {
        if text.starts_with('#') {
            headings.push((line, text, false));
        } else if text.contains(MARK)
            && let Some((_, _, has_invariant)) = headings.last_mut()
        {
            *has_invariant = true;
        }
    }
    let sections = CRATES.iter().filter_map(|name| {
        let section = headings
            .iter()
            .find(|(_, heading, _)| heading.contains(&format!("`{name}`")));
        match section {
            None => Some(Finding::new(
                DOCUMENT,
                1,
                format!("no heading names `{name}`"),
            )),
            Some((line, _, false)) => {
                let message = format!("the section of `{name}` has no \"{MARK}\"");
                Some(Finding::new(DOCUMENT, *line, message))
            }
            Some((_, _, true)) => None,
        }
    });
    sections.chain(unkept(tree, document)).collect()
}

/// Invariants that nothing is said to keep, or a file that is not there.
fn unkept(tree: &Tree, document: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut line = 1;
    for paragraph in document.text.split("\n\n") {
        if paragraph.starts_with(MARK) {
            let keepers = paragraph
                .split_once(KEPT)
                .map_or("", |(_, keepers)| keepers);
            let mut files = keepers.split('`').skip(1).step_by(2);
            let files: Vec<&str> = files.by_ref().filter(|name| name.contains('.')).collect();
            let missing = files.iter().find(|name| tree.file(name).is_none());
            if let Some(missing) = missing {
                let message = format!("{missing} is said to keep an invariant, and is not there");
                findings.push(Finding::new(DOCUMENT, line, message));
            } else if files.is_empty() {
                let message = format!("say what keeps it so: \"{KEPT} `path/of/a/file`\"");
                findings.push(Finding::new(DOCUMENT, line, message));
            }
        }
        line += paragraph.lines().count() + 1;
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_without_its_invariant_is_found() {
        let text: String = CRATES
            .iter()
            .map(|name| match *name {
                "ports" => "## `ports`\n\nTraits.\n\n".to_owned(),
                name => format!("## `{name}`\n\n{MARK} it holds. {KEPT} `x.rs`.\n\n"),
            })
            .collect();
        let found = check(&Tree::of(&[(DOCUMENT, &text), ("x.rs", "")]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].to_string().starts_with("ARCHITECTURE.md:5: "),
            "{found:?}"
        );
    }

    #[test]
    fn an_invariant_that_nothing_keeps_is_found() {
        let section = |end: &str| format!("Text.\n\n{MARK} it holds.{end}\n\n");
        let found = |end: &str| {
            let text = section(end);
            let tree = Tree::of(&[(DOCUMENT, &text), ("there.rs", "")]);
            unkept(&tree, tree.file(DOCUMENT).unwrap()).len()
        };
        assert_eq!(found(""), 1);
        assert_eq!(found(" Kept by `gone.rs`."), 1);
        assert_eq!(found(" Kept by `there.rs`."), 0);
    }

    #[test]
    fn a_missing_section_and_a_missing_document_are_found() {
        assert_eq!(
            check(&Tree::of(&[(DOCUMENT, "# Map\n")])).len(),
            CRATES.len()
        );
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
