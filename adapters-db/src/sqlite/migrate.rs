//! Pending migrations, all of them in one transaction.

use std::error::Error as _;

use camino::Utf8Path;
use domain::SchemaState;
use ports::{DatabaseTrouble, Migrated, StoreError};
use refinery::Runner;
use rusqlite::Connection;

use crate::content::Content;
use crate::sqlite::classify::identify;
use crate::sqlite::db::Db;
use crate::sqlite::integrity::check;
use crate::sqlite::sql_error::trouble;

/// Applies what is pending. Where nothing is, refinery is not called, because it would write.
pub(crate) fn migrate(
    path: &Utf8Path,
    connection: &mut Connection,
    runner: &Runner,
) -> Result<Migrated, StoreError> {
    let db = Db::new(path, connection);
    match identify(&db, runner)?.ensure_known(path)? {
        Content::Schema(SchemaState::Current) => return Ok(Migrated::Unchanged),
        Content::Nothing => {}
        // A damaged file is not made worse, whoever calls.
        Content::Schema(_) => check(&db)?,
    }
    let report = runner
        .run(connection)
        .map_err(|error| failed(path, error))?;
    Ok(Migrated::Applied(
        report
            .applied_migrations()
            .iter()
            .map(ToString::to_string)
            .collect(),
    ))
}

fn failed(path: &Utf8Path, error: refinery::Error) -> StoreError {
    let of_sqlite = error
        .source()
        .and_then(|source| source.downcast_ref::<rusqlite::Error>());
    StoreError::MigrationFailed {
        path: path.to_string(),
        trouble: of_sqlite.map_or(DatabaseTrouble::Defect, |error| trouble(path, error)),
        source: error.into(),
    }
}
