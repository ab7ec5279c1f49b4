//! Every correction that is named anywhere has its section in `docs/corrections.md`, and every
//! section has a test that is named after it.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;
use crate::docs::corrections::{PATH, all_tests, section, start_of, test};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PATH) else {
        return vec![Finding::new(PATH, 1, "is missing")];
    };
    let sections: BTreeMap<u32, usize> = page
        .lines()
        .filter_map(|(line, text)| Some((section(text)?, line)))
        .collect();
    let tests = all_tests(tree);
    let mut findings = Vec::new();
    for (number, line) in &sections {
        let mut say = |message| findings.push(Finding::new(PATH, *line, message));
        if !tests.contains_key(number) {
            say(format!(
                "no test is named c{number:02}_…: nothing proves C{number}"
            ));
        }
        if !page.text.contains(&start_of(*number)) {
            say(format!("{} is missing: no list", start_of(*number)));
        }
    }
    for file in &tree.files {
        if !file.is_rust() && !file.path.ends_with(".md") {
            continue;
        }
        for (line, text) in file.lines() {
            for number in named(text).filter(|number| !sections.contains_key(number)) {
                let message = format!("C{number} has no section in {PATH}");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// The corrections that a line names: `C7` as a word, or the name of a test. `%C3` is a byte of a
/// URI.
fn named(line: &str) -> impl Iterator<Item = u32> {
    line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '%'))
        .filter_map(|word| word.strip_prefix('C')?.parse().ok())
        .chain(test(line).map(|(number, _)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Corrections\n## C7: Whole\n<!-- tests C7 -->\n<!-- /tests -->\n";

    fn messages(page: &str, code: &str) -> Vec<String> {
        check(&Tree::of(&[(PATH, page), ("a.rs", code)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_page_that_fits_the_code_is_clean() {
        let code = "//! As it should be (C7).\nfn c07_works() {}\n";
        assert_eq!(messages(PAGE, code), Vec::<String>::new());
    }

    #[test]
    fn each_gap_is_found() {
        let proven = "fn c07_works() {}\n";
        let found = messages(PAGE, "");
        assert_eq!(
            found,
            ["docs/corrections.md:2: no test is named c07_…: nothing proves C7"]
        );
        let found = messages("## C7: Whole\n", proven);
        assert_eq!(found.len(), 1, "{found:?}");
        for unknown in ["// (C{})", "//! C7 and C{}: both", "fn c{}_works() {}"] {
            let line = unknown.replace("{}", "99");
            let found = messages(PAGE, &format!("{proven}{line}\n"));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].starts_with("a.rs:2: "), "{found:?}");
        }
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn what_only_looks_like_a_correction_is_none() {
        for line in ["%C3%BC", "C_Login", "AC7", "C7a", "C", "c99"] {
            assert_eq!(named(line).count(), 0, "{line}");
        }
    }
}
