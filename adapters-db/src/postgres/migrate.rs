//! The migrations of a server's server. They are run here and not by refinery's driver, which makes
//! its table in a transaction before theirs: tables and history appear together or not at all.

use domain::SchemaState;
use ports::{Migrated, StoreError};
use time::OffsetDateTime;

use super::connection::Opened;
use super::server::Server;
use super::session::Ask;
use super::target::Target;
use super::transaction::{Access, Transaction};
use crate::content::Content;
use crate::schema::{HISTORY_TABLE, runner_of_postgres};
use crate::sql::stamp;

/// Applies what is pending.
pub(super) fn migrate(server: &Server) -> Result<Migrated, StoreError> {
    // A ready start has seen that in this session already.
    if server.connections.is_current() {
        return Ok(Migrated::Unchanged);
    }
    let migrated = server.connections.write("migrating", |opened| {
        Ok((migrate_in(server, opened)?, Vec::new()))
    });
    migrated.map_err(|error| match error {
        StoreError::Failed {
            path,
            trouble,
            source,
            ..
        } => StoreError::MigrationFailed {
            path,
            trouble,
            source,
        },
        other => other,
    })
}

/// Applies what is pending in the transaction that this begins. Whoever comes second waits for the
/// first, and then finds nothing left to do.
fn migrate_in(server: &Server, opened: &Opened) -> Result<Migrated, StoreError> {
    let mut transaction = Transaction::begin(opened, Access::Write, &locks(server))?;
    let content = transaction.identify(&[])?.ensure_known(&opened.name)?;
    if content == Content::Schema(SchemaState::Current) {
        return Ok(Migrated::Unchanged);
    }
    let mut text = String::new();
    if transaction.catalogue.is_empty() {
        text = empty_schema(&opened.target, transaction.catalogue.has_schema);
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    let applied = transaction.applied.len();
    let (sql, names) = migrations(applied, usize::MAX, |_| now.clone())?;
    text.push_str(&sql);
    transaction.run(&text)?;
    opened.forget();
    Ok(Migrated::Applied(names))
}

/// What whoever makes tables holds: nobody else makes them at the same time.
pub(super) fn locks(server: &Server) -> Vec<Ask> {
    let mut locks = vec![server.held.creation()];
    locks.extend(server.held.ask());
    locks
}

/// What makes a schema, and in it the table of the applied migrations as refinery would make it.
pub(super) fn empty_schema(target: &Target, is_there: bool) -> String {
    let schema = match is_there {
        true => String::new(),
        false => format!("CREATE SCHEMA {};\n", target.schema.quoted()),
    };
    format!(
        "{schema}CREATE TABLE {HISTORY_TABLE} (version INT4 PRIMARY KEY, name VARCHAR(255), \
         applied_on VARCHAR(255), checksum VARCHAR(255));\n"
    )
}

/// What applies the migrations after the first `applied`, up to `count`, as one text; and their names.
/// `applied_on` says when each is said to have been applied.
pub(super) fn migrations(
    applied: usize,
    count: usize,
    applied_on: impl Fn(usize) -> String,
) -> Result<(String, Vec<String>), StoreError> {
    let runner = runner_of_postgres()?;
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
