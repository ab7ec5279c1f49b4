//! Rules of single files: length, left-over marks, attributes, paths of one machine.

use super::Finding;
use super::tree::{SourceFile, Tree};

/// Lines of a Rust file, and of any other file that a person writes.
const MOST_RUST_LINES: usize = 600;
const MOST_LINES: usize = 999;

// Put together, so that this file does not find itself.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];
const ALLOW: [&str; 2] = [concat!("#[al", "low("), concat!("#![al", "low(")];
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/tmp/", "w/"),
];
/// Hosts that a package could come from instead of the public registry.
const HOSTS: [&str; 4] = [
    concat!("artif", "actory"),
    concat!("jf", "rog"),
    concat!("nexus", "-repository"),
    concat!("replace-", "with"),
];
/// What a package of a registry says; which registries may be used is for `deny.toml`.
const REGISTRY: &str = "registry+";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = tree.files.iter().flat_map(check_file).collect();
    match tree.file("LICENSE") {
        None => findings.push(Finding::new("LICENSE", 1, "is missing")),
        Some(file) if !file.text.starts_with("MIT License") => {
            findings.push(Finding::new("LICENSE", 1, "is not the MIT License"));
        }
        Some(_) => {}
    }
    findings
}

/// Of the workspace, or of a token that only the tests run on.
fn is_lock(path: &str) -> bool {
    path.rsplit('/').next() == Some("Cargo.lock")
}

/// Written by a program, not by a person.
fn is_generated(path: &str) -> bool {
    is_lock(path)
        || path.starts_with("docs/man/")
        || path.starts_with("docs/completions/")
        || path.starts_with("docs/pictures/")
        || path.starts_with("docs/schema/")
        || path.ends_with(".snap")
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let mut findings = check_length(file);
    for (line, text) in file.lines() {
        let mut say = |message: String| findings.push(Finding::new(&file.path, line, message));
        if !is_generated(&file.path) && text.ends_with([' ', '\t', '\r']) {
            say("white space at the end of the line".to_owned());
        }
        if let Some(mark) = MARKS.iter().find(|mark| has_word(text, mark)) {
            say(format!("{mark}: finish it, or write an issue"));
        }
        if file.is_rust() && ALLOW.iter().any(|allow| text.contains(allow)) {
            say("say #[expect(…, reason = \"…\")] instead of allow".to_owned());
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| starts_path(text, path)) {
            say(format!("a path of somebody's machine: {path}"));
        }
        let lower = text.to_lowercase();
        if let Some(host) = HOSTS.iter().find(|host| lower.contains(**host)) {
            say(format!("a registry that is not the public one: {host}"));
        }
        if is_lock(&file.path) && text.starts_with("source = ") && !text.contains(REGISTRY) {
            say(format!("a package from elsewhere: {text}"));
        }
    }
    findings
}

fn check_length(file: &SourceFile) -> Vec<Finding> {
    let most = if file.is_rust() {
        MOST_RUST_LINES
    } else {
        MOST_LINES
    };
    let lines = file.text.lines().count();
    if is_generated(&file.path) || lines <= most {
        return Vec::new();
    }
    let message = format!("{lines} lines, at most {most}: split it by what it does");
    vec![Finding::new(&file.path, most + 1, message)]
}

/// Whether the word stands there alone, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether a path starts so, not whether a longer one has it inside.
fn starts_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        !before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | '$'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[("LICENSE", "MIT License\n"), (path, text)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_clean_file_is_clean() {
        let text = "//! Notes: mktemp wants XXXXXX.\nfn f() {}\n";
        assert_eq!(messages("domain/src/a.rs", text), Vec::<String>::new());
    }

    #[test]
    fn each_broken_rule_is_found_on_its_line() {
        for bad in [
            format!("// {}: later", MARKS[0]),
            format!("// {}", MARKS[2]),
            format!("{}dead_code)]", ALLOW[0]),
            format!("let path = \"{}me\";", MACHINE_PATHS[0]),
            format!("url = \"https://{}.example\"", HOSTS[0]),
            "fn f() {} ".to_owned(),
        ] {
            let found = messages("domain/src/a.rs", &format!("//! A.\n{bad}\n"));
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found[0].starts_with("domain/src/a.rs:2: "), "{found:?}");
        }
    }

    #[test]
    fn a_path_inside_another_is_not_meant() {
        let text = format!("let path = \"/srv{}me\";\n", MACHINE_PATHS[0]);
        assert_eq!(messages("domain/src/a.rs", &text), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_is_found() {
        let found = messages("domain/src/a.rs", &"//\n".repeat(MOST_RUST_LINES + 1));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(messages("a.rs", &"//\n".repeat(MOST_RUST_LINES)).len(), 0);
        assert_eq!(messages("a.md", &"-\n".repeat(MOST_LINES + 1)).len(), 1);
        assert_eq!(
            messages("Cargo.lock", &"#\n".repeat(MOST_LINES + 1)).len(),
            0
        );
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let text = format!("source = \"{REGISTRY}\"\nsource = \"git+https://example.org/a\"\n");
        let found = messages("Cargo.lock", &text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("Cargo.lock:2: "), "{found:?}");
    }

    #[test]
    fn a_missing_licence_is_found() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
        assert_eq!(check(&Tree::of(&[("LICENSE", "GPL\n")])).len(), 1);
    }
}
