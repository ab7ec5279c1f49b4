//! Whether the schema is word for word what the migrations make.
//!
//! It is asked before anything of a table is read. So whatever our statements then meet is data:
//! no trigger, view, virtual table or changed column of somebody else's stands in their way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use ports::{Cause, StoreError};
use refinery::{Migration, Runner};
use ring::digest::{Context, SHA256};
use rusqlite::{Connection, Row};

use crate::defect::defect;
use crate::schema::HISTORY_TABLE;
use crate::shown::quoted;
use crate::sqlite::db::Db;

/// What a backup of the format 1 has beyond a database (see `backup/manifest.rs`).
const MANIFEST: (&str, &str) = (
    "backup_manifest",
    "CREATE TABLE backup_manifest (name TEXT, value TEXT)",
);
/// What SQLite makes itself: for AUTOINCREMENT, and for ANALYZE.
const OF_SQLITE: [&str; 4] = [
    "sqlite_sequence",
    "sqlite_stat1",
    "sqlite_stat3",
    "sqlite_stat4",
];
/// So many differences are named.
const NAMED: usize = 5;

/// A table, an index, a trigger or a view, as `sqlite_schema` has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Object {
    pub(crate) name: String,
    kind: String,
    table: String,
    sql: String,
}

impl Object {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let column = |number| {
            let text = row.get_ref(number)?.as_bytes_or_null()?.unwrap_or_default();
            Ok::<_, rusqlite::Error>(String::from_utf8_lossy(text).into_owned())
        };
        Ok(Self {
            kind: column(0)?,
            name: column(1)?,
            table: column(2)?,
            sql: column(3)?,
        })
    }

    /// What makes it; empty for what SQLite makes by itself.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// Whether it holds rows, and nothing is run to read them.
    pub(crate) fn is_plain_table(&self) -> bool {
        self.kind == "table" && !self.text().to_lowercase().starts_with("createvirtual")
    }

    /// The history's table is refinery's, which may come to write it in other letters.
    fn text(&self) -> String {
        let text = self.sql.split_whitespace().collect::<String>();
        if self.name == HISTORY_TABLE {
            text.to_lowercase()
        } else {
            text
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let names = |object: &Self| [&object.name, &object.kind, &object.table].map(String::clone);
        names(self) == names(other) && self.text() == other.text()
    }

    fn is_of_sqlite(&self) -> bool {
        self.kind == "table" && OF_SQLITE.contains(&self.name.as_str())
    }

    fn is_manifest(&self) -> bool {
        let (name, sql) = MANIFEST;
        self.is_same(&Self {
            name: name.to_owned(),
            kind: "table".to_owned(),
            table: name.to_owned(),
            sql: sql.to_owned(),
        })
    }
}

/// All that the schema has, but for what SQLite makes itself.
pub(crate) fn objects(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut objects: Vec<Object> = connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?
        .query_map([], Object::from_row)?
        .collect::<rusqlite::Result<_>>()?;
    objects.retain(|object| !object.is_of_sqlite());
    Ok(objects)
}

/// Whether the first `applied` migrations make this schema.
pub(crate) fn ensure_unaltered(
    db: &Db<'_>,
    found: &[Object],
    runner: &Runner,
    applied: usize,
) -> Result<(), StoreError> {
    if is_newest(found, applied) {
        return Ok(());
    }
    let mut differences = differences(found, &made_by(runner, applied)?);
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(NAMED);
    differences.truncate(NAMED);
    if more > 0 {
        differences.push(format!("{more} more"));
    }
    Err(StoreError::SchemaAltered {
        path: db.path.to_string(),
        differences: differences.join("; "),
    })
}

/// How many migrations there are, and the SHA-256 of what they make. It saves a ready start the
/// work of making it, and decides nothing: where it does not match, the schema is made and compared.
const NEWEST: (usize, &str) = (
    8,
    "b07b6b86d283dc12d00f97c8bf8fb880ed0160800067f48c420188173e3fa27d",
);

fn is_newest(found: &[Object], applied: usize) -> bool {
    let (count, digest) = NEWEST;
    applied == count && digest_of(found) == digest
}

fn digest_of(objects: &[Object]) -> String {
    let mut sorted: Vec<&Object> = objects.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut digest = Context::new(&SHA256);
    for object in sorted {
        for text in [&object.kind, &object.name, &object.table, &object.sql] {
            digest.update(&(text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
    }
    HEXLOWER.encode(digest.finish().as_ref())
}

fn differences(found: &[Object], expected: &[Object]) -> Vec<String> {
    let named = |object: &Object| format!("the {} {}", kind_of(object), quoted(&object.name));
    let mut left: Vec<&Object> = expected.iter().collect();
    let mut differences = Vec::new();
    for object in found {
        if let Some(place) = left.iter().position(|ours| ours.name == object.name) {
            if !left.remove(place).is_same(object) {
                differences.push(format!("{} is another", named(object)));
            }
        } else if !object.is_manifest() {
            let table = quoted(&object.table);
            let on = if object.table == object.name {
                String::new()
            } else {
                format!(" (on {table})")
            };
            differences.push(format!("{}{on} is not ours", named(object)));
        }
    }
    differences.extend(
        left.iter()
            .map(|object| format!("{} is missing", named(object))),
    );
    differences
}

fn kind_of(object: &Object) -> &str {
    match object.kind.as_str() {
        kind @ ("index" | "trigger" | "view") => kind,
        "table" if object.is_plain_table() => "table",
        "table" => "virtual table",
        _ => "entry",
    }
}

/// Which migrations made which schema; a process asks for one or two.
static MADE: Mutex<BTreeMap<Vec<u64>, Arc<[Object]>>> = Mutex::new(BTreeMap::new());

/// What the first `count` migrations make. They are run in memory: nothing has to be kept in step
/// with them by hand.
pub(crate) fn made_by(runner: &Runner, count: usize) -> Result<Arc<[Object]>, StoreError> {
    let mut migrations = runner.get_migrations().clone();
    migrations.sort();
    migrations.truncate(count);
    let key: Vec<u64> = migrations.iter().map(Migration::checksum).collect();
    let mut known = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(objects) = known.get(&key) {
        return Ok(Arc::clone(objects));
    }
    let made: Arc<[Object]> = make(&migrations)
        .map_err(|error| defect("the embedded migrations do not run in memory", Some(error)))?
        .into();
    known.insert(key, Arc::clone(&made));
    Ok(made)
}

fn make(migrations: &[Migration]) -> Result<Vec<Object>, Cause> {
    let mut memory = Connection::open_in_memory()?;
    Runner::new(migrations).set_grouped(true).run(&mut memory)?;
    Ok(objects(&memory)?)
}

/// Whether nothing is there but the table that refinery makes first.
pub(crate) fn is_bare(found: &[Object], runner: &Runner) -> Result<bool, StoreError> {
    let first = made_by(runner, 0)?;
    Ok(found
        .iter()
        .all(|object| first.iter().any(|ours| ours.is_same(object))))
}

#[cfg(all(test, not(feature = "next-migration")))]
mod tests {
    use super::*;

    #[test]
    fn a_ready_start_need_not_make_the_schema() {
        let runner = crate::schema::runner().unwrap();
        let (count, digest) = NEWEST;
        assert_eq!(count, runner.get_migrations().len());
        assert_eq!(digest, digest_of(&made_by(&runner, count).unwrap()));
    }
}
