//! Whether a file that SQLite can open is ours, whole, and how far it is migrated (C4, C6).

use domain::SchemaState;
use ports::StoreError;
use refinery::Runner;

use crate::content::Content;
use crate::schema::{APPLICATION_ID, APPLIED, HISTORY_TABLE, applied, begins_as_ours, compare};
use crate::shown::quoted;
use crate::sqlite::db::{Db, rows};
use crate::sqlite::integrity::{length, size};
use crate::sqlite::schema_text::{Object, ensure_unaltered, is_bare, objects};

/// Whose it is, how far it is migrated, and whether its schema is what the migrations made.
pub(crate) fn identify(db: &Db<'_>, runner: &Runner) -> Result<Content, StoreError> {
    let id: i64 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| db.unreadable(error))?;
    let objects = objects(db).map_err(|error| db.unreadable(error))?;
    let is_history = |object: &Object| object.name == HISTORY_TABLE && object.is_plain_table();
    let history = if objects.iter().any(is_history) {
        applied(rows(db, APPLIED, &[]).map_err(|error| db.unreadable(error))?)
    } else {
        Vec::new()
    };
    match id {
        0 if history.is_empty() && is_bare(&objects, runner)? => {
            return ensure_not_noise(db).map(|()| Content::Nothing);
        }
        0 if begins_as_ours(&history, runner) => {}
        APPLICATION_ID if history.is_empty() => {
            return Err(StoreError::HistoryLost {
                path: db.path.to_string(),
                table: HISTORY_TABLE,
            });
        }
        APPLICATION_ID => {}
        _ => return Err(foreign(db, id, &objects)),
    }
    let state = compare(&history, runner);
    match state {
        SchemaState::Current | SchemaState::Behind => {
            ensure_unaltered(db, &objects, runner, history.len())?;
        }
        // What other migrations make is not known here.
        SchemaState::Newer | SchemaState::Diverged => {}
    }
    Ok(Content::Schema(state))
}

/// SQLite takes a file of a few bytes for an empty one, and would write over them.
fn ensure_not_noise(db: &Db<'_>) -> Result<(), StoreError> {
    let size = size(db).map_err(|error| db.unreadable(error))?;
    match length(db)? {
        Some(length) if size == 0 && length > 0 => Err(StoreError::NotSqlite {
            path: db.path.to_string(),
            source: None,
        }),
        _ => Ok(()),
    }
}

fn foreign(db: &Db<'_>, application_id: i64, objects: &[Object]) -> StoreError {
    let some: Vec<String> = objects
        .iter()
        .filter(|object| object.is_plain_table())
        .take(5)
        .map(|object| quoted(&object.name))
        .collect();
    StoreError::Foreign {
        path: db.path.to_string(),
        application_id,
        tables: if some.is_empty() {
            "none".to_owned()
        } else {
            some.join(", ")
        },
    }
}
