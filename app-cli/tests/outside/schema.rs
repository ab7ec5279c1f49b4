//! What the program writes as JSON, against the schemas in docs/schema.
//!
//! Every JSON of the program comes into a test by [`read`] or [`check_all_in`], which
//! [`crate::sandbox::Run`] calls; `json_is_read_here_alone` sees to that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The schemas of docs/schema by their name.
struct Published {
    schemas: Schemas,
    by_name: BTreeMap<String, SchemaIndex>,
}

static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let mut published = Published {
        schemas: Schemas::new(),
        by_name: BTreeMap::new(),
    };
    let mut compiler = Compiler::new();
    compiler.enable_format_assertions();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        let id = schema["$id"].as_str().unwrap().to_owned();
        compiler.add_resource(&id, schema).unwrap();
        let index = compiler.compile(&id, &mut published.schemas);
        let index = index.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        published.by_name.insert(name, index);
    }
    published
});

/// Why it is not what the schema of this name says, or why there is no such schema.
fn mismatch(name: &str, value: &Value) -> Option<String> {
    let Some(index) = PUBLISHED.by_name.get(name) else {
        return Some(format!("there is no docs/schema/{name}.json"));
    };
    let result = PUBLISHED.schemas.validate(value, *index);
    result.err().map(|error| format!("{error}"))
}

/// Reads a report or a line of the log, and makes sure that it is as docs/schema says.
#[track_caller]
pub fn read(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    let name = match value["command"].as_str() {
        Some(command) => command.replace(' ', "-"),
        None => "log".to_owned(),
    };
    if let Some(why) = mismatch(&name, &value) {
        panic!("{why}\n(docs/schema may be stale: `cargo xtask docs`)\n{text}");
    }
    value
}

/// Reads what is JSON among other text: each object stands on a line of its own.
#[track_caller]
pub fn check_all_in(text: &str) {
    let is_object = |line: &&str| line.starts_with('{') && line.ends_with('}');
    for line in text.lines().filter(is_object) {
        read(line);
    }
}

/// Checks the report that the last start left in a sandbox, where it can be read.
#[track_caller]
pub fn check_kept(root: &Path) {
    if let Ok(text) = fs::read_to_string(root.join("run/trustpoint/startup.json")) {
        let report = read(&text);
        assert_eq!(report["command"], "startup");
    }
}

/// The commands that have no others below them, as reports name them.
pub fn commands() -> Vec<String> {
    fn below(command: &clap::Command, name: &str) -> Vec<String> {
        if !command.has_subcommands() {
            return vec![name.to_owned()];
        }
        let of = |command: &clap::Command| {
            let name = format!("{name} {}", command.get_name());
            below(command, name.trim_start())
        };
        command.get_subcommands().flat_map(of).collect()
    }
    below(&app_cli::cli::command(), "")
}

#[test]
fn every_command_has_a_schema_and_every_schema_a_command() {
    let others = ["log", "trustpointctl"].map(str::to_owned);
    let mut names: Vec<_> = commands().into_iter().chain(others).collect();
    for name in &mut names {
        *name = name.replace(' ', "-");
    }
    names.sort();
    let published: Vec<_> = PUBLISHED.by_name.keys().cloned().collect();
    assert_eq!(published, names);
}

#[test]
fn a_field_that_is_not_described_is_found_wherever_it_is() {
    let right: Value = serde_json::json!({
        "schema": 2, "command": "startup", "time": "2026-11-28T14:00:00Z", "outcome": "ready",
        "exit_code": 0, "startup_scenario": "VERSION_MATCH", "restore_scenario": null,
        "description": null, "version": { "database": "1.0.0", "current": "1.0.0" },
        "context": null, "token": null, "tls": null, "warnings": [], "error": null,
        "steps": [{ "step": "migrate_database", "result": "done", "detail": "" }],
    });
    assert_eq!(mismatch("startup", &right), None);
    for place in ["", "/version", "/steps/0"] {
        let mut wrong = right.clone();
        wrong.pointer_mut(place).unwrap()["more"] = true.into();
        assert!(mismatch("startup", &wrong).is_some(), "{place}");
    }
    for (field, value) in [
        ("outcome", "fine".into()),
        ("exit_code", 1.into()),
        ("time", "2026-11-28 14:00".into()),
        ("time", "2026-11-28T14:00:00+01:00".into()),
        ("startup_scenario", "VERSION_MISMATCH".into()),
        ("command", "status".into()),
        ("version", Value::Null),
    ] {
        let mut wrong = right.clone();
        wrong[field] = value;
        assert!(mismatch("startup", &wrong).is_some(), "{field}");
    }
    let mut wrong = right.clone();
    wrong.as_object_mut().unwrap().remove("tls");
    assert!(mismatch("startup", &wrong).is_some(), "null, never absent");

    let line = serde_json::json!({
        "time": "2026-11-28T14:00:00Z", "level": "info", "message": "waiting",
    });
    assert_eq!(mismatch("log", &line), None);
    for (field, value) in [("more", "text"), ("level", "loud")] {
        let mut wrong = line.clone();
        wrong[field] = value.into();
        assert!(mismatch("log", &wrong).is_some(), "{field}");
    }
}

/// A test that parses JSON of the program by itself would not compare it with its schema.
#[test]
fn json_is_read_here_alone() {
    fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rust_files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    rust_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut files,
    );
    assert!(files.len() > 50, "{files:?}");
    let parses = |path: &&PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.contains("serde_json::from_") && !path.ends_with("outside/schema.rs")
    };
    let others: Vec<_> = files.iter().filter(parses).collect();
    assert!(others.is_empty(), "say crate::schema::read: {others:?}");
}
