//! What the program writes as JSON, against the schemas in docs/schema.
//!
//! Every JSON of the program comes into a test by [`read`] or [`check_all_in`], which
//! [`crate::sandbox::Run`] calls; `schemas::json_is_read_in_one_place` sees to that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The schemas of docs/schema by their name.
pub struct Published {
    schemas: Schemas,
    pub by_name: BTreeMap<String, SchemaIndex>,
}

pub static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
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
pub fn mismatch(name: &str, value: &Value) -> Option<String> {
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
