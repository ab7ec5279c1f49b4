//! Every correction of the specification, C1 to C23, has a test that is named after it.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

const CORRECTIONS: u32 = 23;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let proven: BTreeSet<u32> = tree
        .rust()
        .flat_map(|file| file.text.lines())
        .filter_map(correction_of)
        .collect();
    (1..=CORRECTIONS)
        .filter(|number| !proven.contains(number))
        .map(|number| {
            let message = format!("no test is named c{number:02}_…: nothing proves C{number}");
            Finding::new("ARCHITECTURE.md", 1, message)
        })
        .collect()
}

/// The number in `fn cNN_…`.
fn correction_of(line: &str) -> Option<u32> {
    let name = line
        .trim_start()
        .trim_start_matches("pub ")
        .strip_prefix("fn c")?;
    let (number, _) = name.split_once('_')?;
    (number.len() == 2).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_missing_ones_are_listed() {
        let tests: String = (1..=CORRECTIONS)
            .filter(|number| *number != 7)
            .map(|number| format!("    fn c{number:02}_works() {{}}\n"))
            .collect();
        let found = check(&Tree::of(&[("app-cli/tests/a.rs", &tests)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].to_string().ends_with("nothing proves C7"),
            "{found:?}"
        );
    }

    #[test]
    fn a_name_that_only_looks_like_one_does_not_count() {
        assert_eq!(
            correction_of("    fn c03_unreachable_is_not_lost() {"),
            Some(3)
        );
        assert_eq!(correction_of("pub fn c11_one_at_a_time() {"), Some(11));
        assert_eq!(correction_of("fn c3_unreachable() {"), None);
        assert_eq!(correction_of("fn clear_setup_mark() {"), None);
        assert_eq!(correction_of("// fn c03_later"), None);
    }
}
