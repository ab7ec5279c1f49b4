//! Which crate may depend on which, and what belongs to one crate alone.

use toml::Table;

use super::Finding;
use super::tree::{SourceFile, Tree};

/// What a crate may depend on.
struct Layer {
    name: &'static str,
    /// The workspace's crates it may use, in tests too.
    inner: &'static [&'static str],
    /// Every other crate it may use outside tests; `None` where that is free.
    outer: Option<&'static [&'static str]>,
}

const LAYERS: [Layer; 9] = [
    Layer {
        name: "domain",
        inner: &[],
        outer: Some(&["semver", "thiserror"]),
    },
    Layer {
        name: "ports",
        inner: &["domain"],
        outer: Some(&["thiserror", "time", "zeroize"]),
    },
    Layer {
        name: "adapters-hsm",
        inner: &["domain", "ports"],
        outer: None,
    },
    Layer {
        name: "adapters-db",
        inner: &["domain", "ports"],
        outer: None,
    },
    Layer {
        name: "adapters-fs",
        inner: &["domain", "ports"],
        outer: None,
    },
    Layer {
        name: "usecases",
        inner: &["domain", "ports"],
        outer: Some(&["serde", "thiserror", "time"]),
    },
    Layer {
        name: "adapters-web",
        inner: &["domain", "ports", "usecases"],
        outer: None,
    },
    Layer {
        name: "app-cli",
        inner: &[
            "domain",
            "ports",
            "usecases",
            "adapters-hsm",
            "adapters-db",
            "adapters-fs",
            "adapters-web",
        ],
        outer: None,
    },
    Layer {
        name: "xtask",
        inner: &["domain", "app-cli"],
        outer: None,
    },
];

/// Tokens that only the tests run on, each a workspace of its own: no crate of ours depends on them.
const TOKENS: &str = "xtask/tokens/";

/// A crate that only one of ours may know.
const OWNED: [(&str, &str); 6] = [
    ("rusqlite", "adapters-db"),
    ("refinery", "adapters-db"),
    ("tokio-postgres", "adapters-db"),
    ("cryptoki", "adapters-hsm"),
    ("hyper", "adapters-web"),
    ("maud", "adapters-web"),
];

/// What `domain` may not reach for (I/O, clock, environment), and `usecases` not directly.
const OUTSIDE_WORLD: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
];

/// What a use case has a port for, or what belongs to its caller.
const USE_CASES_DO_NOT_NAME: [&str; 7] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
];

/// SQL, as it stands in a program's strings.
const SQL: [&str; 10] = [
    "UPDATE ",
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
];

/// How an operator asks for something: the command line's knowledge.
const ADVICE: [&str; 10] = [
    "`trustpointctl",
    "`backup ",
    "`tls ",
    "`startup`",
    "hsm.pin_file",
    "hsm.module",
    "hsm.token_label",
    "database.path",
    "database.url",
    "nginx.reload",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if let Some(folder) = file.path.strip_suffix("/Cargo.toml")
            && !folder.starts_with(TOKENS)
        {
            findings.extend(check_manifest(folder, file));
        }
        if file.is_rust() {
            findings.extend(check_inner(file));
            findings.extend(check_sql(file));
            findings.extend(check_advice(file));
        }
    }
    for layer in &LAYERS {
        let manifest = format!("{}/Cargo.toml", layer.name);
        if tree.file(&manifest).is_none() {
            findings.push(Finding::new(manifest, 1, "the crate is missing"));
        }
    }
    findings
}

fn check_manifest(folder: &str, file: &SourceFile) -> Vec<Finding> {
    let at = |word: &str, message: String| Finding::new(&file.path, line_of(file, word), message);
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![at("", format!("does not parse: {error}"))],
    };
    let mut findings = Vec::new();
    let name = string(&manifest, &["package", "name"]);
    if name != Some(folder) {
        let message = format!("the crate in folder {folder:?} has the name {name:?}");
        findings.push(at("name", message));
    }
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool);
    if lints != Some(true) {
        let message = "the workspace's lints are missing: [lints] workspace = true".to_owned();
        findings.push(at("[lints]", message));
    }
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == folder) else {
        let message = format!("the layers of `xtask tidy` do not know the crate {folder}");
        findings.push(at("name", message));
        return findings;
    };
    for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let Some(dependencies) = manifest.get(table).and_then(toml::Value::as_table) else {
            continue;
        };
        for (dependency, details) in dependencies {
            // What is optional is for tests as well: no release turns it on.
            let in_tests = table == "dev-dependencies" || is_optional(details);
            if let Some(message) = forbidden(layer, dependency, in_tests) {
                findings.push(at(dependency, message));
            }
        }
    }
    findings
}

/// Why the layer may not use the crate.
fn forbidden(layer: &Layer, dependency: &str, in_tests: bool) -> Option<String> {
    let ours = LAYERS.iter().any(|layer| layer.name == dependency);
    let owner = OWNED
        .iter()
        .find(|(owned, owner)| *owned == dependency && *owner != layer.name);
    if ours && !layer.inner.contains(&dependency) && dependency != layer.name {
        return Some(format!("{} must not know {dependency}", layer.name));
    }
    if let Some((_, owner)) = owner
        && !in_tests
    {
        return Some(format!("{dependency} belongs to {owner} alone"));
    }
    match layer.outer {
        Some(outer) if !ours && !in_tests && !outer.contains(&dependency) => Some(format!(
            "{} depends on {} alone, not on {dependency}",
            layer.name,
            outer.join(" and ")
        )),
        _ => None,
    }
}

fn is_optional(details: &toml::Value) -> bool {
    details.get("optional").and_then(toml::Value::as_bool) == Some(true)
}

fn check_inner(file: &SourceFile) -> Vec<Finding> {
    let words: &[&str] = match file.path.split_once("/src/") {
        Some(("domain", _)) => &OUTSIDE_WORLD,
        Some(("usecases", _)) => &USE_CASES_DO_NOT_NAME,
        _ => return Vec::new(),
    };
    let crate_name = file.path.split('/').next().unwrap_or_default();
    file.lines()
        .filter_map(|(line, text)| {
            let word = words.iter().find(|word| text.contains(**word))?;
            let message = format!("{crate_name} reaches for {word}");
            Some(Finding::new(&file.path, line, message))
        })
        .collect()
}

/// SQL outside `adapters-db`. What tests and tasks ask a database from outside is not meant.
fn check_sql(file: &SourceFile) -> Vec<Finding> {
    let meant = file
        .path
        .split_once("/src/")
        .is_some_and(|(crate_name, _)| !matches!(crate_name, "adapters-db" | "xtask"));
    if !meant {
        return Vec::new();
    }
    file.lines()
        .filter_map(|(line, text)| {
            let upper = text.to_uppercase();
            // Words of prose too, which are only meant where they are written like SQL.
            let word = SQL.iter().find(|word| match **word {
                "SELECT " => text.contains("\"SELECT "),
                "UPDATE " => text.contains("\"UPDATE "),
                word => upper.contains(word),
            })?;
            let message = format!("SQL ({}) belongs to adapters-db alone", word.trim_end());
            Some(Finding::new(&file.path, line, message))
        })
        .collect()
}

/// A command or a configuration key in what an adapter says.
fn check_advice(file: &SourceFile) -> Vec<Finding> {
    let crate_name = file.path.split_once("/src/").map(|(name, _)| name);
    if !crate_name.is_some_and(|name| name.starts_with("adapters-") || name == "ports") {
        return Vec::new();
    }
    file.lines()
        .filter(|(_, text)| !text.trim_start().starts_with("//"))
        .filter_map(|(line, text)| {
            let word = ADVICE.iter().find(|word| text.contains(**word))?;
            let message = format!("{word}: what to type next belongs to app-cli/src/hints");
            Some(Finding::new(&file.path, line, message))
        })
        .collect()
}

fn string<'a>(manifest: &'a Table, path: &[&str]) -> Option<&'a str> {
    let (last, tables) = path.split_last()?;
    let table = tables.iter().try_fold(manifest, |table, key| {
        table.get(*key).and_then(toml::Value::as_table)
    })?;
    table.get(*last).and_then(toml::Value::as_str)
}

/// The first line that starts with the word; 1 where there is none.
fn line_of(file: &SourceFile, word: &str) -> usize {
    file.lines()
        .find(|(_, text)| text.starts_with(word))
        .map_or(1, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{rest}[lints]\nworkspace = true\n")
    }

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)]))
            .iter()
            .map(ToString::to_string)
            .filter(|message| !message.ends_with("the crate is missing"))
            .collect()
    }

    #[test]
    fn a_right_manifest_is_right() {
        let text = manifest(
            "adapters-db",
            "[dependencies]\ndomain = 1\nports = 1\nrusqlite = 1\n",
        );
        assert_eq!(
            messages("adapters-db/Cargo.toml", &text),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_forbidden_dependency_is_found_with_its_line() {
        for (name, table, dependency) in [
            ("domain", "dependencies", "serde"),
            ("domain", "dependencies", "ports"),
            ("ports", "dependencies", "adapters-fs"),
            ("ports", "dependencies", "camino"),
            ("adapters-fs", "dependencies", "adapters-db"),
            ("adapters-fs", "dev-dependencies", "adapters-db"),
            ("adapters-fs", "dependencies", "app-cli"),
            ("app-cli", "dependencies", "rusqlite"),
            ("usecases", "dependencies", "adapters-fs"),
            ("usecases", "dependencies", "clap"),
            ("adapters-db", "dependencies", "cryptoki"),
            ("adapters-web", "dependencies", "adapters-fs"),
            ("app-cli", "dependencies", "hyper"),
        ] {
            let text = manifest(name, &format!("[{table}]\n{dependency} = \"1\"\n"));
            let found = messages(&format!("{name}/Cargo.toml"), &text);
            assert_eq!(found.len(), 1, "{name} {dependency}: {found:?}");
            let place = format!("{name}/Cargo.toml:4: ");
            assert!(found[0].starts_with(&place), "{found:?}");
        }
    }

    #[test]
    fn a_wrong_name_and_missing_lints_are_found() {
        let found = messages("domain/Cargo.toml", "[package]\nname = \"domian\"\n");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_domain_that_reaches_out_is_found() {
        let found = messages("domain/src/plan.rs", "//! Plan.\nuse std::fs;\n");
        assert_eq!(found, ["domain/src/plan.rs:2: domain reaches for std::fs"]);
        let found = messages("usecases/src/keys.rs", "//! Keys.\nuse std::io;\n");
        assert_eq!(
            found,
            ["usecases/src/keys.rs:2: usecases reaches for std::io"]
        );
    }

    #[test]
    fn an_adapter_that_says_what_to_type_is_found() {
        let text =
            "// `trustpointctl status` shows it\nlet hint = \"run `trustpointctl status`\";\n";
        assert_eq!(messages("adapters-fs/src/x.rs", text).len(), 1);
        assert!(messages("app-cli/src/hints/files.rs", text).is_empty());
    }

    #[test]
    fn sql_is_found_outside_its_crate_alone() {
        let text = "fn f() { run(\"delete from credential\"); }\n";
        assert_eq!(messages("app-cli/src/a.rs", text).len(), 1);
        assert_eq!(messages("adapters-db/src/a.rs", text).len(), 0);
        assert_eq!(messages("app-cli/tests/a.rs", text).len(), 0);
        assert_eq!(messages("app-cli/src/a.rs", "// Select a row.\n").len(), 0);
        assert_eq!(messages("app-cli/src/a.rs", "f(\"SELECT 1\");\n").len(), 1);
    }
}
