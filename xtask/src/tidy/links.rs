//! Links in the book and in the documents of the project's folder lead to something that is there,
//! and the book's contents list every page.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::{SourceFile, Tree};

const BOOK: &str = "docs/";
const CONTENTS: &str = "docs/SUMMARY.md";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| is_page(&file.path));
    let mut findings: Vec<Finding> = pages.clone().flat_map(|page| broken(tree, page)).collect();
    if let Some(contents) = tree.file(CONTENTS) {
        let listed: BTreeSet<String> = targets(&contents.text)
            .into_iter()
            .filter_map(|(_, target)| resolve(CONTENTS, &target))
            .collect();
        findings.extend(
            pages
                .filter(|page| page.path.starts_with(BOOK) && page.path != CONTENTS)
                .filter(|page| !listed.contains(&page.path))
                .map(|page| Finding::new(&page.path, 1, format!("{CONTENTS} does not list it"))),
        );
    }
    findings
}

/// A page of the book, or a document beside the crates.
fn is_page(path: &str) -> bool {
    path.ends_with(".md") && (path.starts_with(BOOK) || !path.contains('/'))
}

fn broken(tree: &Tree, page: &SourceFile) -> Vec<Finding> {
    let findings = targets(&page.text).into_iter();
    findings
        .filter(|(_, target)| !is_elsewhere(target))
        .filter_map(|(line, target)| {
            let why = fault(tree, &page.path, &target)?;
            Some(Finding::new(&page.path, line, format!("({target}): {why}")))
        })
        .collect()
}

/// Whether a target is no file of ours.
pub fn is_elsewhere(target: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

/// What is wrong with a link, where something is.
fn fault(tree: &Tree, page: &str, target: &str) -> Option<String> {
    let Some((path, anchor)) = destination(page, target) else {
        return Some("it leads out of the project".to_owned());
    };
    if !tree.has(&path) {
        return Some(format!("there is no {path}"));
    }
    if page.starts_with(BOOK) && !path.starts_with(BOOK) {
        return Some("it leads out of the book, where nobody finds it".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let file = tree.file(&path)?;
    let has_it = anchors(&file.text).contains(anchor);
    (!has_it).then(|| format!("{path} has no heading #{anchor}"))
}

/// Where a target leads, seen from a page: the path, and the anchor there, which may be empty. `None`
/// where that is outside.
pub fn destination<'a>(page: &str, target: &'a str) -> Option<(String, &'a str)> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => page.to_owned(),
        path => resolve(page, path)?,
    };
    Some((path, anchor))
}

/// The path of a target, seen from a page: `docs/adr/0001.md` and `../a.md` give `docs/a.md`.
fn resolve(page: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                folders.pop()?;
            }
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

/// The targets of all links and pictures of a page, each with its line.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (line, prose) in prose(text) {
        let prose = without_code(prose);
        let mut say = |target: &str| targets.push((line, target.to_owned()));
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in prose.match_indices(start) {
                let rest = prose.get(at + start.len()..).unwrap_or_default();
                if let Some((target, _)) = rest.split_once(end) {
                    say(target.split(' ').next().unwrap_or_default());
                }
            }
        }
        // A definition: `[name]: target`.
        if let Some((label, target)) = prose.split_once("]: ")
            && label.starts_with('[')
            && !label.contains(']')
        {
            say(target.trim());
        }
    }
    targets
}

/// The lines that are no code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => {
                fence = Some(mark);
                None
            }
            (Some(open), Some(mark)) if open == mark => {
                fence = None;
                None
            }
            (Some(_), _) => None,
            (None, None) => Some((index + 1, line)),
        }
    })
}

/// A line with its code spans taken out.
fn without_code(line: &str) -> String {
    if line.matches('`').count() % 2 == 1 {
        // A span that goes on in the next line holds no link of ours.
        return line.to_owned();
    }
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// What the headings of a page, and the anchors that were set by hand, can be called by.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        for (at, start) in line.match_indices("id=\"") {
            let rest = line.get(at + start.len()..).unwrap_or_default();
            if let Some((id, _)) = rest.split_once('"') {
                anchors.insert(id.to_owned());
            }
        }
        let title = line.trim_start_matches('#');
        let depth = line.len() - title.len();
        if !(1..=6).contains(&depth) || !title.starts_with(' ') {
            continue;
        }
        let slug = slug(title.trim());
        let mut name = slug.clone();
        let mut count = 0;
        while !anchors.insert(name.clone()) {
            count += 1;
            name = format!("{slug}-{count}");
        }
    }
    anchors
}

/// The name of a heading, as mdBook and the forges make it.
fn slug(title: &str) -> String {
    let mut text = String::new();
    let mut rest = title;
    // Of a link its text counts alone.
    while let Some((before, link)) = rest.split_once("](") {
        text.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let kept = text.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_that_leads_somewhere_is_fine() {
        let page = "# A page\n\nSee [b](b.md#the-keys-c7), [x][x], [self](#a-page).\n\
                    ![picture](pictures/p.svg) <a id=\"here\"></a> [folder](adr/)\n\n\
                    ```sh\n[no](link.md)\n```\n\n`[no](link.md)` [web](https://example.org/a.md)\n\n\
                    [x]: adr/0001.md\n";
        let none: Vec<String> = Vec::new();
        assert_eq!(
            found(&[
                ("docs/a.md", page),
                ("docs/b.md", "## The `keys` (C7)\n[a](a.md#here)\n"),
                ("docs/adr/0001.md", "[up](../a.md)\n"),
                ("docs/pictures/p.svg", "<svg/>"),
                ("README.md", "[book](docs/a.md#a-page)\n"),
            ]),
            none
        );
    }

    #[test]
    fn what_leads_nowhere_is_found_with_its_line() {
        for bad in [
            "[a](gone.md)",
            "[a](b.md#gone)",
            "[a](#gone)",
            "![a](gone.svg)",
            "<img src=\"gone.svg\">",
            "[a]: gone.md",
            "[out](../README.md)",
            "[out](../../b.md)",
        ] {
            let page = format!("# A\n\n{bad}\n");
            let found = found(&[
                ("docs/a.md", &page),
                ("docs/b.md", "# B\n"),
                ("README.md", "# R\n"),
            ]);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found[0].starts_with("docs/a.md:3: "), "{found:?}");
        }
    }

    #[test]
    fn a_page_that_is_not_listed_is_found() {
        let found = found(&[
            (CONTENTS, "- [a](a.md)\n"),
            ("docs/a.md", "# A\n"),
            ("docs/b.md", "# B\n"),
        ]);
        assert_eq!(found, [format!("docs/b.md:1: {CONTENTS} does not list it")]);
    }

    #[test]
    fn equal_headings_are_counted() {
        let anchors = anchors("# A b\n## A b\n### `x`: y\n#no\n");
        let names: Vec<&str> = anchors.iter().map(String::as_str).collect();
        assert_eq!(names, ["a-b", "a-b-1", "x-y"]);
    }
}
