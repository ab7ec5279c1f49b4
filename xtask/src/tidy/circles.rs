//! No two files of a crate import each other, directly or by way of others.
//!
//! Imports are read as text: `use` statements, and paths that begin with `crate::` or `super::`.
//! The declaration of a module is no import, and a name that a file only passes on (`pub use`) is
//! imported from where it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::tree::{SourceFile, Tree};

/// Module path within the crate, outermost first.
type Module = Vec<String>;

/// The files of a crate by their module.
type Files<'a> = BTreeMap<Module, &'a SourceFile>;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Files<'_>> = BTreeMap::new();
    for file in tree.rust() {
        if let Some((name, inside)) = file.path.split_once("/src/") {
            let files = crates.entry(name).or_default();
            files.insert(module_of(inside), file);
        }
    }
    crates.values().flat_map(check_crate).collect()
}

fn check_crate(files: &Files<'_>) -> Vec<Finding> {
    let imports: BTreeMap<&Module, BTreeSet<&Module>> = files
        .iter()
        .map(|(module, file)| (module, imports(module, &file.text, files)))
        .collect();
    let mut findings = Vec::new();
    for start in imports.keys() {
        // Each circle is told once: where its first file begins.
        if let Some(circle) = way_back(start, &imports)
            && circle.iter().all(|module| module >= start)
            && let Some(file) = files.get(*start)
        {
            let names: Vec<&str> = circle
                .iter()
                .filter_map(|module| files.get(*module))
                .map(|file| file.path.as_str())
                .collect();
            let message = format!("files import each other: {}", names.join(" -> "));
            findings.push(Finding::new(&file.path, 1, message));
        }
    }
    findings
}

/// The shortest way from a file over its imports back to it.
fn way_back<'a>(
    start: &'a Module,
    imports: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> Option<Vec<&'a Module>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last()?;
            for next in imports.get(last).into_iter().flatten() {
                let mut way = way.clone();
                way.push(next);
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

/// The files that `text` imports from.
fn imports<'a>(module: &Module, text: &str, files: &'a Files<'_>) -> BTreeSet<&'a Module> {
    let code = code(text);
    let mut found = statements(&code, "use ");
    for root in ["crate::", "super::"] {
        found.extend(code.match_indices(root).filter_map(|(at, _)| {
            let path = code.get(at..)?;
            let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let path = path.get(..end.unwrap_or(path.len()))?;
            // A list in braces is part of a `use` statement.
            (!path.ends_with("::")).then(|| path.to_owned())
        }));
    }
    found
        .iter()
        .filter_map(|path| resolve(module, path, files))
        .filter(|target| *target != module)
        .collect()
}

/// Without comments, and without what only tests import.
fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap_or(text);
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The paths of all statements that begin with the keyword.
fn statements(code: &str, keyword: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in code.split(keyword).skip(1) {
        if let Some((statement, _)) = part.split_once(';') {
            expand("", statement, &mut found);
        }
    }
    found
}

/// `a::{b, c::D}` is `a::b` and `a::c::D`.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        found.push(format!("{prefix}{tree}"));
        return;
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut begin) = (0_usize, 0);
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, inside.get(begin..at).unwrap_or_default(), found);
                begin = at + 1;
            }
            _ => {}
        }
    }
    let last = inside.get(begin..).unwrap_or_default();
    if !last.trim().is_empty() {
        expand(&prefix, last, found);
    }
}

/// The file that has the item: the longest beginning of the path that is a module with a file.
fn resolve<'a>(module: &Module, path: &str, files: &'a Files<'_>) -> Option<&'a Module> {
    let mut names: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut full = match names.first() {
        Some(&"crate") => Module::new(),
        // Relative: a module below this one.
        _ => module.clone(),
    };
    while matches!(names.first(), Some(&"crate" | &"self" | &"super")) {
        if names.remove(0) == "super" {
            full.pop();
        }
    }
    let base = full.len();
    let first = path.split("::").next().unwrap_or_default().trim();
    let is_relative = !matches!(first, "crate" | "self" | "super");
    full.extend(names.iter().map(|name| (*name).to_owned()));
    let mut item = None;
    while !files.contains_key(&full) {
        item = Some(full.pop()?);
    }
    // `use serde::…` names no module of this crate.
    if is_relative && full.len() <= base {
        return None;
    }
    let (target, file) = files.get_key_value(&full)?;
    let passed_on = item.and_then(|item| {
        statements(&code(&file.text), "pub use ")
            .iter()
            .find(|path| path.rsplit([':', ' ']).next() == Some(item.as_str()))
            .and_then(|path| resolve(target, path, files))
    });
    Some(passed_on.unwrap_or(target))
}

fn module_of(inside: &str) -> Module {
    let path = inside.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Module::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn files_that_import_each_other_are_found_once() {
        let files = [
            ("domain/src/lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("domain/src/a.rs", "use crate::b::{self, B};\n"),
            ("domain/src/b.rs", "fn f() { crate::c::g(); }\n"),
            ("domain/src/c.rs", "use super::a::A;\n"),
        ];
        assert_eq!(
            found(&files),
            [
                "domain/src/a.rs:1: files import each other: domain/src/a.rs -> \
                 domain/src/b.rs -> domain/src/c.rs -> domain/src/a.rs"
            ]
        );
    }

    #[test]
    fn a_child_that_imports_from_its_parent_is_found() {
        let files = [
            ("ports/src/a.rs", "mod b;\npub use b::B;\n"),
            ("ports/src/a/b.rs", "use super::C;\n"),
        ];
        assert_eq!(found(&files).len(), 1);
    }

    #[test]
    fn a_name_that_is_passed_on_comes_from_its_own_file() {
        let files = [
            (
                "ports/src/lib.rs",
                "mod a;\nmod b;\npub use a::{A, B as C};\n",
            ),
            ("ports/src/b.rs", "use crate::{A, C};\n"),
            ("ports/src/a.rs", "fn f() {}\n"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
        let files = [files[0], files[1], ("ports/src/a.rs", "use crate::b::D;\n")];
        assert_eq!(found(&files).len(), 1);
    }

    #[test]
    fn declarations_tests_comments_and_other_crates_are_no_imports() {
        let files = [
            ("ports/src/lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
            ("ports/src/a.rs", "use serde::{a::B, b};\nmod c;\n"),
            (
                "ports/src/b.rs",
                "// crate::a::A\nuse crate::a::A;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n",
            ),
            ("ports/src/a/c.rs", "use std::fmt;\n"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }
}
