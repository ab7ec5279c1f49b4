//! What stands in the schema, whose it is, and how far it is migrated (C4, C6).

use std::collections::BTreeMap;

use domain::SchemaState;
use ports::StoreError;
use rusqlite::types::Value;

use super::session::{Ask, Rows};
use super::target::Target;
use super::twin::{Columns, Twin};
use crate::content::Content;
use crate::schema::{
    HISTORY_TABLE, applied as applied_of, begins_as_ours, compare, runner_of_postgres,
};
use crate::shown::quoted;

/// Tables and views of the schema, a row for each of their columns.
const RELATIONS: &str = "SELECT c.relname::text, c.relkind::text, a.attname::text, \
     format_type(a.atttypid, NULL), \
     c.relhasrules OR c.relrowsecurity OR EXISTS (SELECT FROM pg_trigger t \
     WHERE t.tgrelid = c.oid AND NOT t.tgisinternal), \
     has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') \
     AND has_table_privilege(c.oid, 'DELETE'), \
     obj_description(c.oid, 'pg_class') \
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
/// The table whose comment says that a scrub is due.
const MARKED: &str = "installation";
const MARK: &str = "a scrub is due: what was removed may still be in the files";

/// A table or a view.
#[derive(Clone, Debug, Default)]
struct Relation {
    /// Columns with their types, in their order.
    columns: Columns,
    /// It holds rows, and nothing is run where they are read or written.
    is_plain: bool,
    is_writable: bool,
    comment: Option<String>,
}

/// What stands in the schema.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    relations: BTreeMap<String, Relation>,
    pub(super) has_schema: bool,
    may_create: bool,
    pub(super) may_use: bool,
}

/// Sets the mark of a scrub.
pub(super) fn mark_scrub(target: &Target) -> Ask {
    let schema = target.schema.quoted();
    Ask::from(format!("COMMENT ON TABLE {schema}.{MARKED} IS '{MARK}'").as_str())
}

/// Takes it away after `CLUSTER`, where nothing is left of what was removed: a transaction that began
/// before may still see that, and then `CLUSTER` has to keep it. The indexes, which it makes anew, count all
/// rows that they lead to (`pg_class.reltuples`; -1 is none that was counted), those too.
pub(super) fn unmark_scrub(target: &Target) -> Ask {
    let schema = target.schema.quoted();
    let written = "SELECT sum(greatest(reltuples, 0)) FROM pg_class \
                   WHERE oid IN ('pkcs11_token_pkey'::regclass, 'credential_pkey'::regclass)";
    let there = "SELECT (SELECT count(*) FROM pkcs11_token) + (SELECT count(*) FROM credential)";
    Ask::from(
        format!(
            "DO $$ BEGIN IF ({written}) = ({there}) THEN \
             COMMENT ON TABLE {schema}.{MARKED} IS NULL; END IF; END $$"
        )
        .as_str(),
    )
}

impl Catalogue {
    /// How it is asked for.
    pub(super) fn ask(target: &Target) -> [Ask; 2] {
        let schema = || vec![Value::Text(target.schema.as_str().to_owned())];
        [Ask::new(RELATIONS, schema()), Ask::new(RIGHTS, schema())]
    }

    /// From the answers.
    pub(super) fn of(relations: Rows, rights: &Rows) -> Self {
        let mut found: BTreeMap<String, Relation> = BTreeMap::new();
        for row in relations {
            let Ok::<[Value; 7], _>([name, kind, column, its_kind, acts, writable, comment]) =
                row.try_into()
            else {
                continue;
            };
            let (Value::Text(name), Value::Text(kind)) = (name, kind) else {
                continue;
            };
            let relation = found.entry(name).or_default();
            relation.is_plain = kind == "r" && acts == Value::Integer(0);
            relation.is_writable = writable == Value::Integer(1);
            if let Value::Text(comment) = comment {
                relation.comment = Some(comment);
            }
            if let (Value::Text(column), Value::Text(kind)) = (column, its_kind) {
                relation.columns.push((column, kind));
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

    /// Nothing stands there.
    pub(super) fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    /// The names of all that stands there.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.relations.keys().map(String::as_str)
    }

    /// Whether this table is there and has this column.
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.relations
            .get(table)
            .is_some_and(|relation| relation.columns.iter().any(|(name, _)| name == column))
    }

    /// Whether the mark of a scrub is set.
    pub(super) fn is_scrub_due(&self) -> bool {
        let marked = self.relations.get(MARKED);
        marked.and_then(|marked| marked.comment.as_deref()) == Some(MARK)
    }

    /// Whether this user may write what a start writes.
    pub(super) fn is_writable(&self) -> bool {
        if self.is_empty() {
            return self.may_create;
        }
        self.relations.values().all(|relation| relation.is_writable)
    }

    /// Whether all is what these migrations make.
    pub(super) fn is_made_by(&self, made: &Twin) -> bool {
        self.differences(made).is_empty()
    }

    /// Whether the migration history is there to be asked; not where nothing is there.
    ///
    /// # Errors
    /// Tables that are not ours, or have lost their history.
    pub(super) fn has_history(&self, target: &Target) -> Result<bool, StoreError> {
        match self.relations.get(HISTORY_TABLE) {
            Some(history) if history.is_plain => Ok(true),
            None if self.is_empty() => Ok(false),
            None if self.relations.contains_key("installation") => Err(history_lost(target)),
            Some(_) | None => Err(self.foreign(target)),
        }
    }

    /// How far it is migrated, and whether it is what the migrations make. `applied` are the rows of
    /// the migration history.
    pub(super) fn identify(
        &self,
        target: &Target,
        applied: &Rows,
        newest: &Twin,
    ) -> Result<Content, StoreError> {
        let rows = applied_of(applied.clone());
        if rows.is_empty() {
            return match self.relations.len() {
                0 | 1 => Ok(Content::Nothing),
                _ => Err(history_lost(target)),
            };
        }
        let runner = runner_of_postgres()?;
        if !begins_as_ours(&rows, &runner) {
            return Err(self.foreign(target));
        }
        let state = compare(&rows, &runner);
        match state {
            SchemaState::Current => self.ensure_unaltered(target, newest)?,
            SchemaState::Behind => self.ensure_unaltered(target, &Twin::of(rows.len())?)?,
            // What other migrations make is not known here.
            SchemaState::Newer | SchemaState::Diverged => {}
        }
        Ok(Content::Schema(state))
    }

    fn differences(&self, made: &Twin) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, relation) in &self.relations {
            match made.tables.get(name) {
                None => differences.push(format!("the table {} is not ours", quoted(name))),
                Some(columns) if !relation.is_plain || *columns != relation.columns => {
                    differences.push(format!("the table {} is another", quoted(name)));
                }
                Some(_) => {}
            }
        }
        let missing = made
            .tables
            .keys()
            .filter(|name| !self.relations.contains_key(*name));
        differences.extend(missing.map(|name| format!("the table {} is missing", quoted(name))));
        differences
    }

    fn ensure_unaltered(&self, target: &Target, made: &Twin) -> Result<(), StoreError> {
        let mut differences = self.differences(made);
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
        let some: Vec<String> = self.names().take(5).map(quoted).collect();
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
