//! What a database holds, whatever pages it stands on.

use std::collections::BTreeMap;

use ports::EventKind;
use ring::digest::{Context, SHA256};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Which rows count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rows {
    /// All of them.
    All,
    /// All but those that say that a backup was put in place: they stand in no backup.
    ButRestores,
}

/// Application id and, for each table, a digest over its rows: no value is kept in memory.
pub(crate) fn contents(
    connection: &Connection,
    rows: Rows,
) -> rusqlite::Result<BTreeMap<String, Vec<u8>>> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let mut contents = BTreeMap::from([(String::new(), id.to_be_bytes().to_vec())]);
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        let but = match rows {
            Rows::ButRestores if table == "event" => Some(EventKind::BackupRestored.name()),
            _ => None,
        };
        let digest = digest_of(connection, &table, but)?;
        contents.insert(table, digest);
    }
    Ok(contents)
}

/// Whether two databases hold the same rows. What every start changes is asked first: where that
/// differs, the rest need not be read.
pub(crate) fn is_same(one: &Connection, other: &Connection, rows: Rows) -> rusqlite::Result<bool> {
    let starts = |connection| digest_of(connection, "startup_history", None);
    Ok(starts(one)? == starts(other)? && contents(one, rows)? == contents(other, rows)?)
}

/// Without the events of that name, where one is given.
fn digest_of(connection: &Connection, table: &str, but: Option<&str>) -> rusqlite::Result<Vec<u8>> {
    let mut digest = Context::new(&SHA256);
    let quoted = table.replace('"', "\"\"");
    let condition = but.map_or("?1 IS NULL", |_| "event IS NOT ?1");
    let select = format!("SELECT * FROM \"{quoted}\" WHERE {condition}");
    let mut statement = connection.prepare(&select)?;
    let columns = statement.column_count();
    let mut rows = statement.query([but])?;
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
