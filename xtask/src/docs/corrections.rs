//! `docs/corrections.md`: written by a person, but for the list of tests in each section, which
//! comes from the code.

use std::collections::BTreeMap;

use super::Document;
use crate::run::Result;
use crate::tidy::tree::Tree;

/// The page, from the workspace's folder.
pub const PATH: &str = "docs/corrections.md";

const END: &str = "<!-- /tests -->";

/// Tests by correction and then by file, in the order in which they stand there.
type Tests<'a> = BTreeMap<u32, BTreeMap<&'a str, Vec<&'a str>>>;

/// The line behind which the tests of a correction are listed.
pub fn start_of(number: u32) -> String {
    format!("<!-- tests C{number} -->")
}

/// The correction that has its section under this heading: `## C7: …`.
pub fn section(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("## C")?.split_once(": ")?;
    number.parse().ok()
}

/// Number and name of the test that a line begins: `fn c07_a_reader_has_one_whole_set() {` is 7 and
/// `a_reader_has_one_whole_set`.
pub fn test(line: &str) -> Option<(u32, &str)> {
    let code = line.trim_start().trim_start_matches("pub ");
    let (number, rest) = code.strip_prefix("fn c")?.split_once('_')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let number = (number.len() == 2).then(|| number.parse().ok())??;
    Some((number, rest.get(..end)?))
}

/// The tests of every correction.
pub fn all_tests(tree: &Tree) -> Tests<'_> {
    let mut tests = Tests::new();
    for file in tree.rust() {
        for (number, name) in file.text.lines().filter_map(test) {
            let files = tests.entry(number).or_default();
            files.entry(&file.path).or_default().push(name);
        }
    }
    tests
}

/// The page with its lists as they should be.
///
/// # Errors
/// The page is missing, or a list has no end.
pub fn document(tree: &Tree) -> Result<Document> {
    let page = tree.file(PATH).ok_or(format!("{PATH} is missing"))?;
    let mut tests = all_tests(tree);
    let mut text = String::new();
    let mut lines = page.text.lines();
    let mut number = None;
    while let Some(line) = lines.next() {
        text.push_str(&format!("{line}\n"));
        number = section(line).or(number);
        let Some(number) = number.filter(|number| line == start_of(*number)) else {
            continue;
        };
        text.push_str(&list(tests.remove(&number).unwrap_or_default()));
        if !lines.any(|line| line == END) {
            return Err(format!("{PATH}: no {END} follows {line}"));
        }
        text.push_str(&format!("{END}\n"));
    }
    let path = PATH.to_owned();
    Ok(Document { path, text })
}

/// One line a file, so that hundreds of tests leave the page readable.
fn list(files: BTreeMap<&str, Vec<&str>>) -> String {
    files
        .into_iter()
        .map(|(path, names)| format!("- `{path}`: {}\n", names.join("; ").replace('_', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_its_name() {
        let line = "    fn c03_unreachable_is_not_lost() {";
        assert_eq!(test(line), Some((3, "unreachable_is_not_lost")));
        assert_eq!(
            test("pub fn c11_one_at_a_time(context in any()) {"),
            Some((11, "one_at_a_time"))
        );
        assert_eq!(test("fn c3_unreachable() {"), None);
        assert_eq!(test("fn clear_setup_mark() {"), None);
        assert_eq!(test("// fn c03_later() {"), None);
    }

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let page = "# Page\n## C7: Whole\nWhy.\n<!-- tests C7 -->\nold\n<!-- /tests -->\n\
                    ## C8: One\n<!-- tests C7 -->\n<!-- tests C8 -->\n<!-- /tests -->\n";
        let tree = Tree::of(&[
            (PATH, page),
            (
                "b.rs",
                "fn c07_first() {}\nfn c07_then() {}\nfn other() {}\n",
            ),
            ("a.rs", "fn c07_a_reader() {}\n"),
        ]);
        assert_eq!(
            document(&tree).unwrap().text,
            "# Page\n## C7: Whole\nWhy.\n<!-- tests C7 -->\n\
             - `a.rs`: a reader\n- `b.rs`: first; then\n<!-- /tests -->\n\
             ## C8: One\n<!-- tests C7 -->\n<!-- tests C8 -->\n<!-- /tests -->\n"
        );
    }

    #[test]
    fn a_list_without_an_end_swallows_nothing() {
        let page = "## C7: Whole\n<!-- tests C7 -->\n## C8: One\n";
        assert!(document(&Tree::of(&[(PATH, page)])).is_err());
        assert!(document(&Tree::of(&[])).is_err());
    }
}
