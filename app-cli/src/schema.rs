//! The JSON Schema (2020-12) of every report, and of a line of the log.
//!
//! They come from the types that are written. Each stands for itself, without a reference to
//! another, and says of every object that it has no other fields: so a field that is in a report
//! and not here is found by a test.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use usecases::report::own::{
    BackupCreate, BackupRestore, BackupVerify, ConfigShow, Doctor, History, HsmCheck, KeysShow,
    Recover, TlsHistory, TlsShow,
};

use crate::exit_code;
use crate::json::{Document, LogLine, Other, SCHEMA, Start};

/// A schema, and what it is of.
pub struct Published {
    /// The command with dashes between its words, or `log`.
    pub name: String,
    /// The schema.
    pub schema: Value,
}

/// What a report has that has nothing of its own.
#[derive(JsonSchema)]
struct Nothing {}

/// A report that may say which TLS set Nginx has, beside what is its own.
type Tls<O> = Document<'static, Other<'static, O>>;

/// Makes a schema.
type Make = fn() -> Value;

/// Every command as reports name it, with the schema of the whole report. The first stands for
/// arguments that are none of a command.
const COMMANDS: [(&str, Make); 23] = [
    ("trustpointctl", of::<Document<'static, Nothing>>),
    ("startup", of::<Document<'static, Start<'static>>>),
    ("status", of::<Document<'static, Start<'static>>>),
    ("setup", of::<Tls<Nothing>>),
    ("recover", own::<Tls<Recover>>),
    ("keys show", own::<Document<'static, KeysShow>>),
    ("keys rotate-kek", of::<Document<'static, Nothing>>),
    ("keys forget-token", of::<Document<'static, Nothing>>),
    ("keys set-backup-password", of::<Document<'static, Nothing>>),
    (
        "keys verify-backup-password",
        of::<Document<'static, Nothing>>,
    ),
    ("tls show", own::<Tls<TlsShow>>),
    ("tls renew", of::<Tls<Nothing>>),
    ("tls import", of::<Tls<Nothing>>),
    ("tls history", own::<Document<'static, TlsHistory>>),
    ("tls activate", of::<Tls<Nothing>>),
    ("backup create", own::<Document<'static, BackupCreate>>),
    ("backup verify", own::<Document<'static, BackupVerify>>),
    ("backup restore", own::<Document<'static, BackupRestore>>),
    ("doctor", own::<Document<'static, Doctor>>),
    ("hsm check", own::<Document<'static, HsmCheck>>),
    ("history", own::<Document<'static, History>>),
    ("config show", own::<Document<'static, ConfigShow>>),
    ("completions", of::<Document<'static, Nothing>>),
];

/// All of them.
#[must_use]
pub fn all() -> Vec<Published> {
    let reports = COMMANDS
        .iter()
        .map(|(command, schema)| report(command, schema()));
    reports.chain([log()]).collect()
}

fn report(command: &str, schema: Value) -> Published {
    let name = command.replace(' ', "-");
    let codes: Vec<u8> = exit_code::TABLE.iter().map(|row| row.code).collect();
    let (title, what) = match command {
        "trustpointctl" => (
            "trustpointctl: bad arguments".to_owned(),
            "The report about arguments that are none of a command, with `--format json`"
                .to_owned(),
        ),
        command => (
            format!("trustpointctl {command}"),
            format!("The report of `trustpointctl {command}` with `--format json`"),
        ),
    };
    let mut schema = titled(schema, &format!("report:{SCHEMA}:{name}"), &title, &what);
    constrain(&mut schema, "schema", json!({ "const": SCHEMA }));
    constrain(&mut schema, "command", json!({ "const": command }));
    constrain(&mut schema, "exit_code", json!({ "enum": codes }));
    Published { name, schema }
}

fn log() -> Published {
    let title = "trustpointctl: a line of the log";
    let what = "A line on standard error with `--log-format json`, which `--format json` brings \
                with it: a step, a message, or the error";
    Published {
        name: "log".to_owned(),
        schema: titled(of::<LogLine<'static>>(), "log", title, what),
    }
}

/// What every schema says of itself, and of fields that are still to come.
fn titled(schema: Value, id: &str, title: &str, what: &str) -> Value {
    let mut schema = match schema {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let description = format!(
        "{what}. It describes what this version writes, and nothing else. A later one may add \
         fields, and values to an enumeration; none is renamed or removed within number {SCHEMA} of \
         `schema`. So a reader leaves aside what it does not know."
    );
    schema.insert("$id".to_owned(), json!(format!("urn:trustpointctl:{id}")));
    schema.insert("title".to_owned(), json!(title));
    schema.insert("description".to_owned(), json!(description));
    Value::Object(schema)
}

/// Says of a field what its type does not.
fn constrain(schema: &mut Value, field: &str, by: Value) {
    let field = schema.pointer_mut(&format!("/properties/{field}"));
    if let (Some(Value::Object(field)), Value::Object(by)) = (field, by) {
        // The bounds and the format of a number say less.
        field.retain(|keyword, _| matches!(keyword.as_str(), "type" | "description"));
        field.extend(by);
    }
}

/// Of the whole document.
fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.inline_subschemas = true;
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    finish(&mut schema);
    schema
}

/// Of a command that has something of its own to say: where it failed it may not have come to that.
fn own<T: JsonSchema>() -> Value {
    let mut schema = of::<T>();
    let always = required(&of::<Document<'static, Nothing>>());
    let (always, own): (Vec<_>, Vec<_>) = required(&schema)
        .into_iter()
        .partition(|field| always.contains(field));
    for field in own.iter().filter_map(Value::as_str) {
        let pointer = format!("/properties/{field}/description");
        if let Some(Value::String(description)) = schema.pointer_mut(&pointer) {
            description.push_str(" Absent where the command failed before it was known.");
        }
    }
    if let Value::Object(fields) = &mut schema {
        fields.insert("required".to_owned(), json!(always));
        let worked = json!({ "properties": { "error": { "type": "null" } } });
        fields.insert("if".to_owned(), worked);
        fields.insert("then".to_owned(), json!({ "required": own }));
    }
    schema
}

fn required(schema: &Value) -> Vec<Value> {
    let required = schema.get("required").and_then(Value::as_array);
    required.cloned().unwrap_or_default()
}

/// As readers want it: no object has other fields than those that are described, a choice of words
/// is an `enum`, and a description has no line breaks of our source.
fn finish(schema: &mut Value) {
    let Value::Object(keywords) = schema else {
        return;
    };
    list_words(keywords);
    if let Some(Value::String(description)) = keywords.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    let is_object = keywords.contains_key("properties");
    let choices = keywords.get_mut("anyOf").and_then(Value::as_array_mut);
    let has_choices = choices.is_some();
    for choice in choices.into_iter().flatten() {
        finish(choice);
        if let (true, Value::Object(choice)) = (is_object, choice) {
            choice.remove("additionalProperties");
        }
    }
    if is_object {
        // A choice beside the fields brings fields of its own, which only the first one sees.
        let keyword = if has_choices {
            "unevaluatedProperties"
        } else {
            "additionalProperties"
        };
        keywords.insert(keyword.to_owned(), json!(false));
    }
    keywords.get_mut("items").into_iter().for_each(finish);
    let fields = keywords
        .get_mut("properties")
        .and_then(Value::as_object_mut);
    fields
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(finish);
}

/// Each word is a schema of its own, with what it means: that becomes a part of the description.
fn list_words(keywords: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = keywords.remove("oneOf") else {
        return;
    };
    let mut description = text(keywords.get("description"));
    let words = choices.iter().filter_map(|choice| choice.get("const"));
    for choice in &choices {
        let (word, meaning) = (choice.get("const"), choice.get("description"));
        description.push_str(&format!(" `{}`: {}", text(word), text(meaning)));
    }
    keywords.insert("enum".to_owned(), words.cloned().collect());
    keywords.insert("type".to_owned(), json!("string"));
    keywords.insert("description".to_owned(), json!(description));
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}
