//! Pending migrations, all of them in one transaction.

use std::error::Error as _;

use camino::Utf8Path;
use domain::SchemaState;
use ports::{Fault, FaultKind, Migrated};
use refinery::Runner;
use rusqlite::Connection;

use crate::classify::{Found, identify};
use crate::db::Db;
use crate::integrity::check;
use crate::sql_error::class;

/// Applies what is pending. Where nothing is, refinery is not called, because it would write.
pub(crate) fn migrate(
    path: &Utf8Path,
    connection: &mut Connection,
    runner: &Runner,
) -> Result<Migrated, Fault> {
    let db = Db::new(path, connection);
    match identify(&db, runner)? {
        Found::Schema(SchemaState::Current) => return Ok(Migrated::Unchanged),
        Found::Nothing => {}
        // A damaged file is not made worse, whoever calls.
        Found::Schema(SchemaState::Behind) => check(&db)?,
        Found::Schema(state @ (SchemaState::Newer | SchemaState::Diverged)) => {
            return Err(refused(path, state));
        }
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

/// The refusal to change a database whose schema this program does not know (C6).
pub(crate) fn refused(path: &Utf8Path, state: SchemaState) -> Fault {
    let how = if state == SchemaState::Newer {
        "has migrations that this program does not know"
    } else {
        "was migrated by migrations that differ from this program's"
    };
    Fault::new(
        FaultKind::VersionDowngrade,
        format!("the database {path} {how}"),
        "start the version that wrote it, or restore a snapshot of this version",
    )
}

fn failed(path: &Utf8Path, error: refinery::Error) -> Fault {
    let (kind, hint) = error
        .source()
        .and_then(|source| source.downcast_ref::<rusqlite::Error>())
        .map_or_else(
            || {
                (
                    FaultKind::Internal,
                    "this is a defect of the program; report it with this message".to_owned(),
                )
            },
            |source| class(path, source),
        );
    Fault::new(
        kind,
        format!("migrating the database {path} failed; it is as it was before"),
        hint,
    )
    .because(error)
}
