//! What stands in the schema, whose it is, and how far it is migrated (C4, C6).

use std::collections::BTreeMap;

use domain::SchemaState;
use ports::StoreError;
use refinery::Runner;
use rusqlite::types::Value;

use super::mirror::{Columns, Mirror, listed};
use super::session::{Ask, Rows};
use super::target::Target;
use crate::classify::FileContent;
use crate::schema::{Applied, HISTORY_TABLE, begins_as_ours, compare, runner_of_postgres};
use crate::shown::quoted;

/// Tables and views of the schema, a row for each of their columns.
const RELATIONS: &str = "SELECT c.relname::text, c.relkind::text, a.attname::text, \
     format_type(a.atttypid, NULL), \
     c.relhasrules OR c.relrowsecurity OR EXISTS (SELECT FROM pg_trigger t \
     WHERE t.tgrelid = c.oid AND NOT t.tgisinternal), \
     has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') \
     AND has_table_privilege(c.oid, 'DELETE') \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
     ORDER BY c.relname, a.attnum";
/// Whether the schema is there, whether tables may be made in it, or it itself, and whether what is in
/// it may be named: else the server says that it does not exist.
const RIGHTS: &str = "SELECT n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'CREATE'), \
     has_database_privilege(current_database(), 'CREATE')), \
     coalesce(has_schema_privilege(n.oid, 'USAGE'), true) \
     FROM (SELECT to_regnamespace($1)::oid AS oid) n";
/// The applied migrations, oldest first.
const APPLIED: &str = "SELECT version::bigint, name::text, applied_on::text, checksum::text \
     FROM refinery_schema_history ORDER BY version";

/// How much of a database is mirrored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// All but the history, of which the newest start of each node and the last backup stay.
    Record,
    /// Every row.
    All,
}

/// A table or a view.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    /// Columns with their types, in their order.
    pub(super) columns: Vec<(String, String)>,
    /// It holds rows, and nothing is run where they are read or written.
    is_plain: bool,
    is_writable: bool,
}

/// What stands in the schema.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    pub(super) relations: BTreeMap<String, Relation>,
    pub(super) has_schema: bool,
    may_create: bool,
    pub(super) may_use: bool,
}

impl Catalogue {
    /// How it is asked for.
    pub(super) fn ask(target: &Target) -> [Ask; 2] {
        let schema = || vec![Value::Text(target.schema.as_str().to_owned())];
        [Ask::new(RELATIONS, schema()), Ask::new(RIGHTS, schema())]
    }

    /// From the answers.
    pub(super) fn of(relations: Rows, rights: Rows) -> Self {
        let mut found: BTreeMap<String, Relation> = BTreeMap::new();
        for row in relations {
            let [
                Value::Text(name),
                Value::Text(kind),
                column,
                kind_of_column,
                acts,
                writable,
            ] = row.as_slice()
            else {
                continue;
            };
            let relation = found.entry(name.clone()).or_default();
            relation.is_plain = kind == "r" && *acts == Value::Integer(0);
            relation.is_writable = *writable == Value::Integer(1);
            if let (Value::Text(column), Value::Text(kind)) = (column, kind_of_column) {
                relation.columns.push((column.clone(), kind.clone()));
            }
        }
        let right = |number| {
            let row = rights.first().and_then(|row| row.get(number));
            row == Some(&Value::Integer(1))
        };
        Self {
            relations: found,
            has_schema: right(0),
            may_create: right(1),
            may_use: right(2),
        }
    }

    /// Whether this user may write what a start writes.
    pub(super) fn is_writable(&self) -> bool {
        if self.relations.is_empty() {
            return self.may_create;
        }
        self.relations.values().all(|relation| relation.is_writable)
    }

    /// Whether every table is one that this program knows. Others are not read.
    pub(super) fn is_known(&self, newest: &Mirror) -> bool {
        self.relations
            .iter()
            .all(|(name, relation)| relation.is_plain && newest.has(name))
    }

    /// How the applied migrations are asked for; `None` where nothing is there.
    ///
    /// # Errors
    /// Tables that are not ours, or have lost their history.
    pub(super) fn ask_applied(&self, target: &Target) -> Result<Option<Ask>, StoreError> {
        match self.relations.get(HISTORY_TABLE) {
            Some(history) if history.is_plain => Ok(Some(APPLIED.into())),
            None if self.relations.is_empty() => Ok(None),
            None if self.relations.contains_key("installation") => Err(history_lost(target)),
            Some(_) | None => Err(self.foreign(target)),
        }
    }

    /// How far it is migrated, and whether it is what the migrations make.
    pub(super) fn identify(
        &self,
        target: &Target,
        applied: &Rows,
    ) -> Result<FileContent, StoreError> {
        let rows: Vec<Applied> = applied.iter().map(|row| of_row(row)).collect();
        let runner = runner_of_postgres()?;
        if rows.is_empty() {
            return match self.relations.len() {
                1 => Ok(FileContent::Nothing),
                _ => Err(history_lost(target)),
            };
        }
        if !begins_as_ours(&rows, &runner) {
            return Err(self.foreign(target));
        }
        let state = compare(&rows, &runner);
        if matches!(state, SchemaState::Current | SchemaState::Behind) {
            self.ensure_unaltered(target, &Mirror::of(rows.len())?)?;
        }
        Ok(FileContent::Schema(state))
    }

    fn ensure_unaltered(&self, target: &Target, made: &Mirror) -> Result<(), StoreError> {
        let mut differences = Vec::new();
        for (name, relation) in &self.relations {
            match made.columns(name) {
                None => differences.push(format!("the table {} is not ours", quoted(name))),
                Some(columns) if !relation.is_plain || *columns != relation.columns => {
                    differences.push(format!("the table {} is another", quoted(name)));
                }
                Some(_) => {}
            }
        }
        let missing = made
            .names()
            .filter(|name| !self.relations.contains_key(*name));
        differences.extend(missing.map(|name| format!("the table {} is missing", quoted(name))));
        if differences.is_empty() {
            return Ok(());
        }
        differences.truncate(5);
        Err(StoreError::SchemaAltered {
            path: target.name(),
            differences: differences.join("; "),
        })
    }

    fn foreign(&self, target: &Target) -> StoreError {
        let some: Vec<String> = self
            .relations
            .keys()
            .take(5)
            .map(|name| quoted(name))
            .collect();
        StoreError::ForeignTables {
            path: target.name(),
            schema: target.schema.as_str().to_owned(),
            tables: some.join(", "),
        }
    }
}

fn history_lost(target: &Target) -> StoreError {
    StoreError::HistoryLost {
        path: target.name(),
        table: HISTORY_TABLE,
    }
}

fn of_row(row: &[Value]) -> Applied {
    let text = |number: usize| match row.get(number) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let version = match row.first() {
        Some(Value::Integer(version)) => Some(*version),
        _ => None,
    };
    Applied::new(version, text(1).map(str::to_owned), text(2), text(3))
}

/// What applies the migrations after the first `applied`, up to `count`, as one text; and their names.
/// `applied_on` says when each is said to have been applied.
pub(super) fn migrations(
    applied: usize,
    count: usize,
    applied_on: impl Fn(usize) -> String,
) -> Result<(String, Vec<String>), StoreError> {
    let runner: Runner = runner_of_postgres()?;
    let mut migrations = runner.get_migrations().clone();
    migrations.sort();
    let mut text = String::new();
    let mut names = Vec::new();
    let due = migrations.iter().enumerate().take(count).skip(applied);
    for (number, migration) in due {
        text.push_str(migration.sql().unwrap_or_default());
        // Numbers, and names out of this program: nothing that would need to be quoted.
        text.push_str(&format!(
            ";\nINSERT INTO {HISTORY_TABLE} (version, name, applied_on, checksum) \
             VALUES ({}, '{}', '{}', '{}');\n",
            migration.version(),
            migration.name(),
            applied_on(number),
            migration.checksum(),
        ));
        names.push(migration.to_string());
    }
    Ok((text, names))
}

/// What makes the table of the applied migrations, as refinery would make it.
pub(super) fn history_table() -> String {
    format!(
        "CREATE TABLE {HISTORY_TABLE} (version INT4 PRIMARY KEY, name VARCHAR(255), \
         applied_on VARCHAR(255), checksum VARCHAR(255));\n"
    )
}

/// How the tables are asked for, in the order of their names, and their columns.
pub(super) fn ask_rows(seen: &Catalogue, scope: Scope) -> Vec<(String, Columns, Ask)> {
    let tables = seen
        .relations
        .iter()
        .filter(|(name, _)| *name != HISTORY_TABLE);
    tables
        .map(|(name, relation)| {
            let knows_nodes = relation.columns.iter().any(|(column, _)| column == "node");
            let condition = match (scope, name.as_str()) {
                (Scope::Record, "startup_history") if knows_nodes => {
                    "WHERE id IN (SELECT max(id) FROM startup_history GROUP BY node) ORDER BY id"
                }
                (Scope::Record, "startup_history") => "WHERE false",
                (Scope::Record, "event") => "WHERE event = 'backup_made' ORDER BY id DESC LIMIT 1",
                _ => "ORDER BY id",
            };
            let columns = relation.columns.clone();
            let sql = format!("SELECT {} FROM \"{name}\" {condition}", listed(&columns));
            (name.clone(), columns, Ask::from(sql.as_str()))
        })
        .collect()
}
