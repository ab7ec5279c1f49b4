//! The published schemas themselves, and that nothing gets by them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::schema::{PUBLISHED, commands, mismatch};

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
fn json_is_read_in_one_place() {
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
        text.contains(concat!("serde_json::", "from_")) && !path.ends_with("outside/schema.rs")
    };
    let others: Vec<_> = files.iter().filter(parses).collect();
    assert!(others.is_empty(), "say crate::schema::read: {others:?}");
}
