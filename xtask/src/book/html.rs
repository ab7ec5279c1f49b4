//! The built book: whether what its pages link to was built too. This finds what the Markdown cannot
//! tell: a link in a text that another page includes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::run::Result;
use crate::tidy::links::{destination, is_elsewhere};

/// Pages that mdBook puts together itself, out of the others.
const PUT_TOGETHER: [&str; 3] = ["print.html", "toc.html", "404.html"];

/// A line for each link that leads nowhere.
pub fn broken(book: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    read(book, book, &mut pages)?;
    let mut broken = Vec::new();
    for (page, text) in &pages {
        if PUT_TOGETHER.contains(&page.as_str()) {
            continue;
        }
        for target in targets(text) {
            if !is_elsewhere(target) && !is_there(book, &pages, page, target) {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    broken.sort();
    broken.dedup();
    Ok(broken)
}

fn is_there(book: &Path, pages: &BTreeMap<String, String>, page: &str, target: &str) -> bool {
    let Some((path, anchor)) = destination(page, target) else {
        return false;
    };
    if anchor.is_empty() {
        return book.join(path).exists();
    }
    let names = pages.get(&path).map(|text| attributes(text, "id"));
    names.is_some_and(|names| names.contains(anchor))
}

fn targets(text: &str) -> BTreeSet<&str> {
    let mut targets = attributes(text, "href");
    targets.extend(attributes(text, "src"));
    targets.retain(|target| !target.is_empty() && !target.starts_with("data:"));
    targets
}

/// The values that an attribute has on a page.
fn attributes<'a>(text: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!(" {name}=\"");
    let values = text.match_indices(&start).filter_map(|(at, _)| {
        let value = text.get(at + start.len()..)?;
        value.split_once('"').map(|(value, _)| value)
    });
    values.collect()
}

/// Every page below a folder, by its path in the book.
fn read(book: &Path, folder: &Path, pages: &mut BTreeMap<String, String>) -> Result<()> {
    let fault = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for entry in std::fs::read_dir(folder).map_err(|error| fault(folder, error))? {
        let path: PathBuf = entry.map_err(|error| fault(folder, error))?.path();
        if path.is_dir() {
            read(book, &path, pages)?;
        } else if path.extension().is_some_and(|end| end == "html") {
            let text = std::fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            let name = path.strip_prefix(book).unwrap_or(&path);
            pages.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_was_not_built_is_found() {
        let book = tempfile::tempdir().unwrap();
        let pages = [
            (
                "a.html",
                r##"<a href="b.html#b"></a><a href="#a"></a><h1 id="a"></h1><a href="https://x">"##,
            ),
            ("b.html", r#"<h1 id="b"></h1><img src="gone.svg">"#),
            ("print.html", r#"<a href="gone.html"></a>"#),
        ];
        for (name, text) in pages {
            std::io::Write::write_all(
                &mut std::fs::File::create(book.path().join(name)).unwrap(),
                text.as_bytes(),
            )
            .unwrap();
        }
        assert_eq!(broken(book.path()).unwrap(), ["b.html: gone.svg"]);
    }
}
