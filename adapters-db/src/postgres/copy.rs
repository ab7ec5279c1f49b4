//! Every row of one state of a server's database, in its twin in memory.

use ports::{MadeSnapshot, StoreError};
use rusqlite::types::Value;
use time::OffsetDateTime;

use super::server::Server;
use super::session::Ask;
use super::transaction::{Access, Transaction};
use super::twin::{Twin, listed};
use crate::content::Content;
use crate::sqlite::db::Db;
use crate::sqlite::snapshot;
use crate::sqlite::snapshot_files::Kind;
use crate::sqlite::sql_error::failed;

const DOING: &str = "reading every row";
/// So many rows come at once.
const AT_ONCE: usize = 500;

/// Every row of one state of the database; `None` where there is no schema yet.
pub(super) fn copy_of(
    transaction: &Transaction<'_>,
    content: Content,
) -> Result<Option<Twin>, StoreError> {
    let name = &transaction.opened.name;
    if content.ensure_known(name)? == Content::Nothing {
        return Ok(None);
    }
    let twin = Twin::of(transaction.applied.len())?;
    twin.fill_applied(&transaction.applied)?;
    for (table, columns) in twin.own_tables() {
        let all = listed(columns);
        let sql =
            format!("SELECT {all}, id FROM {table} WHERE id > $1 ORDER BY id LIMIT {AT_ONCE}");
        let mut last = Value::Integer(i64::MIN);
        loop {
            let ask = Ask::new(sql.as_str(), vec![last.clone()]);
            let mut rows = transaction.opened.ask(&[ask])?.pop().unwrap_or_default();
            for row in &mut rows {
                last = row.pop().unwrap_or(Value::Null);
            }
            twin.fill(table, columns, &rows)
                .map_err(|error| failed(name, DOING, error))?;
            if rows.len() < AT_ONCE {
                break;
            }
        }
    }
    Ok(Some(twin))
}

impl Server {
    /// A copy of one state, in memory; `None` where there is no schema yet.
    pub(super) fn copy(&self) -> Result<Option<Twin>, StoreError> {
        self.connections.read(DOING, |opened| {
            let mut transaction = Transaction::begin(opened, Access::Read, &[])?;
            let content = transaction.identify(&[])?;
            let twin = copy_of(&transaction, content)?;
            transaction.end()?;
            Ok(twin)
        })
    }

    pub(super) fn snapshot_of(
        &self,
        twin: &Twin,
        kind: Kind,
        now: OffsetDateTime,
    ) -> Result<MadeSnapshot, StoreError> {
        let name = self.name();
        let db = Db::new(&name, &twin.connection);
        let (beside, snapshots) = (&self.beside, &self.snapshots);
        snapshot::make(&db, None, beside, snapshots, kind, now, &self.watch)
    }
}
