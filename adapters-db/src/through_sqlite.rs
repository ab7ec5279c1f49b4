//! One state of a database whose pages do not stand in its file alone (write-ahead logging, or a
//! private copy in memory): copied by SQLite, compared row by row.

use std::collections::BTreeMap;

use ports::{ResultExt as _, StoreError};
use ring::digest::{Context, SHA256};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;

use crate::db::Db;
use crate::draft::Draft;
use crate::file_bytes::copy_as_it_is;
use crate::file_header::without_log;
use crate::sql_error::defect;

/// Pages that are copied at a time.
const PAGES: i32 = 1024;

/// Copies the state of a transaction into a draft, and makes sure that it says what the state says,
/// row by row. `progress` hears how many pages of how many are copied.
pub(crate) fn copy(
    state: &Db<'_>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    // SQLite has to open it, and it is not what gets a name.
    let mut between = draft.another()?.with_private_name()?;
    back_up(state, &between, progress)?;
    let what = || format!("copying the database {}", state.path);
    without_log(between.file()).or_io(what)?;
    let copy = between.read()?;
    between.remove_name()?;
    let reading = state.failed("comparing with a copy");
    if contents(state).map_err(&reading)? != contents(&copy).map_err(reading)? {
        return Err(StoreError::CopyDiffers {
            path: state.path.to_string(),
        });
    }
    Ok(copy_as_it_is(between.file(), draft.file(), &mut |_, _| ()).or_io(what)?)
}

fn back_up(
    state: &Db<'_>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    let copying = state.failed("copying the database");
    let mut to = draft.edit()?;
    let backup = Backup::new(state, &mut to).map_err(&copying)?;
    loop {
        let step = backup.step(PAGES).map_err(&copying)?;
        let pages = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        progress(
            count(pages.pagecount.saturating_sub(pages.remaining)),
            count(pages.pagecount),
        );
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // The state is held and the draft is ours alone.
            other => {
                let what = format!("copying the database {} stopped: {other:?}", state.path);
                return Err(defect(what, None));
            }
        }
    }
}

/// Application id and, for each table, a digest over its rows: no value is kept in memory.
fn contents(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<u8>>> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let mut contents = BTreeMap::from([(String::new(), id.to_be_bytes().to_vec())]);
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let digest = digest_of(connection, &table)?;
        contents.insert(table, digest);
    }
    Ok(contents)
}

fn digest_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<u8>> {
    let mut digest = Context::new(&SHA256);
    let quoted = table.replace('"', "\"\"");
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
                ValueRef::Null => (0, &[]),
                ValueRef::Integer(number) => (1, &number.to_be_bytes()),
                ValueRef::Real(number) => (2, &number.to_bits().to_be_bytes()),
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(blob) => (4, blob),
            };
            digest.update(&[kind]);
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
    }
    Ok(digest.finish().as_ref().to_vec())
}
