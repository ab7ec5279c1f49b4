//! ARCHITECTURE.md says of every crate what must stay true of it.

use super::Finding;
use super::tree::Tree;

const DOCUMENT: &str = "ARCHITECTURE.md";
const MARK: &str = "Architecture Invariant:";
const CRATES: [&str; 8] = [
    "domain",
    "ports",
    "adapters-hsm",
    "adapters-db",
    "adapters-fs",
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
    CRATES
        .iter()
        .filter_map(|name| {
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
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_without_its_invariant_is_found() {
        let text: String = CRATES
            .iter()
            .map(|name| match *name {
                "ports" => "## `ports`\nTraits.\n".to_owned(),
                name => format!("## `{name}`\n**{MARK}** it holds.\n"),
            })
            .collect();
        let found = check(&Tree::of(&[(DOCUMENT, &text)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].to_string().starts_with("ARCHITECTURE.md:3: "),
            "{found:?}"
        );
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
