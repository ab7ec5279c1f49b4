//! What the database says of the node, and the few singletons that say it.

use camino::Utf8Path;
use domain::{InstallationId, SchemaState, StorageType};
use ports::{DatabaseState, Fault, FaultKind, NodeRecord};
use refinery::Runner;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use time::OffsetDateTime;

use crate::classify::{Found, identify};
use crate::columns::{stamp, storage, text, time as time_column};
use crate::integrity::check;
use crate::shown::quoted;
use crate::sql_error::fault;
use crate::token;

/// Checks the whole file and reads the node, both from one state of the database.
pub(crate) fn observe(
    path: &Utf8Path,
    connection: &Connection,
    runner: &Runner,
) -> Result<DatabaseState, Fault> {
    let _one_state = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)
        .map_err(|error| fault(path, "reading", error))?;
    let found = identify(path, connection, runner)?;
    check(path, connection)?;
    record_of(path, connection, found)
}

/// Reads the node in the transaction of the caller.
pub(crate) fn look(
    path: &Utf8Path,
    connection: &Connection,
    runner: &Runner,
) -> Result<DatabaseState, Fault> {
    record_of(path, connection, identify(path, connection, runner)?)
}

fn record_of(
    path: &Utf8Path,
    connection: &Connection,
    found: Found,
) -> Result<DatabaseState, Fault> {
    let Found::Schema(schema) = found else {
        return Ok(DatabaseState::NotInitialised);
    };
    let record = match schema {
        SchemaState::Current | SchemaState::Behind => read(path, connection, schema)?,
        SchemaState::Newer | SchemaState::Diverged => read_what_is_sure(connection, schema),
    };
    Ok(DatabaseState::Initialised(Box::new(record)))
}

fn read(
    path: &Utf8Path,
    connection: &Connection,
    schema: SchemaState,
) -> Result<NodeRecord, Fault> {
    let (version, container_id) = app_version(connection)
        .map_err(|error| fault(path, "reading the version", error))?
        .unwrap_or_default();
    let (installation, setup_completed_at) = installation_row(connection)
        .map_err(|error| fault(path, "reading the installation", error))?
        .ok_or_else(|| no_installation(path))?;
    Ok(NodeRecord {
        schema,
        version,
        container_id,
        installation: installation
            .map(|text| parse_installation(path, &text))
            .transpose()?,
        setup_completed_at,
        storage: read_storage(path, connection)?,
        token: token::read(path, connection)?,
    })
}

/// A schema that this program does not know: the version alone, and that only if it can be read.
fn read_what_is_sure(connection: &Connection, schema: SchemaState) -> NodeRecord {
    let (version, container_id) = app_version(connection).ok().flatten().unwrap_or_default();
    NodeRecord {
        schema,
        version,
        container_id,
        installation: None,
        setup_completed_at: None,
        storage: None,
        token: None,
    }
}

/// The version that the last finished start recorded.
pub(crate) fn version(connection: &Connection) -> Option<String> {
    app_version(connection).ok().flatten()?.0
}

type Optional = Option<String>;

fn app_version(connection: &Connection) -> rusqlite::Result<Option<(Optional, Optional)>> {
    connection
        .query_row(
            "SELECT version, container_id FROM app_version WHERE id = 1",
            [],
            |row| Ok((text(row, 0)?, text(row, 1)?)),
        )
        .optional()
}

fn installation_row(
    connection: &Connection,
) -> rusqlite::Result<Option<(Optional, Option<OffsetDateTime>)>> {
    connection
        .query_row(
            "SELECT installation_id, setup_completed_at FROM installation WHERE id = 1",
            [],
            |row| Ok((text(row, 0)?, time_column(row, 1)?)),
        )
        .optional()
}

/// The installation id, where the caller cannot do without.
pub(crate) fn installation(
    path: &Utf8Path,
    connection: &Connection,
) -> Result<InstallationId, Fault> {
    installation_row(connection)
        .map_err(|error| fault(path, "reading the installation", error))?
        .and_then(|(id, _)| id)
        .map(|text| parse_installation(path, &text))
        .transpose()?
        .ok_or_else(|| no_installation(path))
}

fn parse_installation(path: &Utf8Path, text: &str) -> Result<InstallationId, Fault> {
    InstallationId::parse(text).map_err(|error| {
        corrupt(
            path,
            "the installation id in table installation cannot be right",
        )
        .because(error)
    })
}

fn read_storage(path: &Utf8Path, connection: &Connection) -> Result<Option<StorageType>, Fault> {
    let name = connection
        .query_row(
            "SELECT storage_type FROM key_storage_config WHERE id = 1",
            [],
            |row| text(row, 0),
        )
        .optional()
        .map_err(|error| fault(path, "reading the storage configuration", error))?;
    let Some(name) = name else { return Ok(None) };
    storage(name.as_deref()).map(Some).ok_or_else(|| {
        corrupt(
            path,
            &format!(
                "the storage type {} in table key_storage_config is none of software, softhsm and \
                 physical_hsm",
                quoted(&name.unwrap_or_default())
            ),
        )
    })
}

/// Configures the storage where none is.
pub(crate) fn configure_storage(
    path: &Utf8Path,
    connection: &mut Connection,
    wanted: StorageType,
) -> Result<bool, Fault> {
    if read_storage(path, connection)?.is_some() {
        return Ok(false);
    }
    put_storage(path, connection, wanted)?;
    Ok(true)
}

/// Changes the storage where it is another.
pub(crate) fn change_storage(
    path: &Utf8Path,
    connection: &mut Connection,
    wanted: StorageType,
) -> Result<(), Fault> {
    if read_storage(path, connection)? == Some(wanted) {
        return Ok(());
    }
    put_storage(path, connection, wanted)
}

fn put_storage(path: &Utf8Path, connection: &Connection, wanted: StorageType) -> Result<(), Fault> {
    let now = stamp(OffsetDateTime::now_utc())?;
    connection
        .execute(
            "INSERT INTO key_storage_config (id, storage_type, last_updated) VALUES (1, ?1, ?2) \
             ON CONFLICT (id) DO UPDATE SET storage_type = ?1, last_updated = ?2",
            params![wanted.name(), now],
        )
        .map(drop)
        .map_err(|error| fault(path, "writing the storage configuration", error))
}

/// Sets the mark of C9.
pub(crate) fn mark_setup_completed(
    path: &Utf8Path,
    connection: &mut Connection,
    now: OffsetDateTime,
) -> Result<bool, Fault> {
    if setup_mark(path, connection)?.is_some() {
        return Ok(false);
    }
    set_mark(path, connection, Some(stamp(now)?))?;
    Ok(true)
}

/// Takes the mark of C9 away.
pub(crate) fn clear_setup_mark(
    path: &Utf8Path,
    connection: &mut Connection,
) -> Result<bool, Fault> {
    if setup_mark(path, connection)?.is_none() {
        return Ok(false);
    }
    set_mark(path, connection, None)?;
    Ok(true)
}

fn setup_mark(path: &Utf8Path, connection: &Connection) -> Result<Option<OffsetDateTime>, Fault> {
    installation_row(connection)
        .map_err(|error| fault(path, "reading the installation", error))?
        .map(|(_, mark)| mark)
        .ok_or_else(|| no_installation(path))
}

fn set_mark(path: &Utf8Path, connection: &Connection, mark: Option<String>) -> Result<(), Fault> {
    connection
        .execute(
            "UPDATE installation SET setup_completed_at = ?1 WHERE id = 1",
            params![mark],
        )
        .map(drop)
        .map_err(|error| fault(path, "writing the setup mark", error))
}

fn no_installation(path: &Utf8Path) -> Fault {
    corrupt(path, "the row of table installation is missing")
}

fn corrupt(path: &Utf8Path, what: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("{what} (database {path})"),
        "correct the row, or restore the newest snapshot or a backup (`backup restore`)",
    )
}
