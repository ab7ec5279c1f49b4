//! What the database says of the node, and the few singletons that say it.

use domain::{InstallationId, SchemaState, StorageType};
use ports::{ActiveCredential, Cause, NodeRecord, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use crate::classify::Found;
use crate::columns::{stamp, storage, text, time as time_column};
use crate::db::Db;
use crate::shown::quoted;
use crate::{credential, token};

/// Reads the node in the transaction of the caller; `None` where there is no schema yet.
pub(crate) fn record(db: &Db<'_>, found: Found) -> Result<Option<NodeRecord>, StoreError> {
    match found {
        Found::Nothing => Ok(None),
        Found::Schema(schema @ (SchemaState::Current | SchemaState::Behind)) => {
            read(db, schema).map(Some)
        }
        Found::Schema(schema @ (SchemaState::Newer | SchemaState::Diverged)) => {
            Ok(Some(read_what_is_sure(db, schema)))
        }
    }
}

fn read(db: &Db<'_>, schema: SchemaState) -> Result<NodeRecord, StoreError> {
    let (version, container_id) = app_version(db)
        .map_err(db.failed("reading the version"))?
        .unwrap_or_default();
    let (installation, setup_completed_at) = installation_row(db)?;
    Ok(NodeRecord {
        schema,
        version,
        container_id,
        installation: installation
            .map(|text| parse_installation(db, &text))
            .transpose()?,
        setup_completed_at,
        storage: read_storage(db)?,
        token: token::read(db)?,
        active_credential: credential::active(db)?,
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
        active_credential: ActiveCredential::None,
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

fn installation_row(db: &Db<'_>) -> Result<(Optional, Option<OffsetDateTime>), StoreError> {
    db.query_row(
        "SELECT installation_id, setup_completed_at FROM installation WHERE id = 1",
        [],
        |row| Ok((text(row, 0)?, time_column(row, 1)?)),
    )
    .optional()
    .map_err(db.failed("reading the installation"))?
    .ok_or_else(|| no_installation(db))
}

/// The installation id, where the caller cannot do without.
pub(crate) fn installation(db: &Db<'_>) -> Result<InstallationId, StoreError> {
    let (id, _) = installation_row(db)?;
    parse_installation(db, &id.ok_or_else(|| no_installation(db))?)
}

fn parse_installation(db: &Db<'_>, text: &str) -> Result<InstallationId, StoreError> {
    InstallationId::parse(text).map_err(|error| {
        let what = "the installation id in table installation cannot be right".to_owned();
        wrong_row(db, what, Some(error.into()))
    })
}

fn read_storage(db: &Db<'_>) -> Result<Option<StorageType>, StoreError> {
    let name = db
        .query_row(
            "SELECT storage_type FROM key_storage_config WHERE id = 1",
            [],
            |row| text(row, 0),
        )
        .optional()
        .map_err(db.failed("reading the storage configuration"))?;
    let Some(name) = name else { return Ok(None) };
    storage(name.as_deref()).map(Some).ok_or_else(|| {
        let what = format!(
            "the storage type {} in table key_storage_config is none of software, softhsm and \
             physical_hsm",
            quoted(&name.unwrap_or_default())
        );
        wrong_row(db, what, None)
    })
}

/// Sets the storage where it is another.
pub(crate) fn set_storage(db: &Db<'_>, wanted: StorageType) -> Result<bool, StoreError> {
    if read_storage(db)? == Some(wanted) {
        return Ok(false);
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    db.execute(
        "INSERT INTO key_storage_config (id, storage_type, last_updated) VALUES (1, ?1, ?2) \
         ON CONFLICT (id) DO UPDATE SET storage_type = ?1, last_updated = ?2",
        params![wanted.name(), now],
    )
    .map_err(db.failed("writing the storage configuration"))?;
    Ok(true)
}

/// Sets the mark of C9 where there is none.
pub(crate) fn mark_setup_completed(db: &Db<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    if installation_row(db)?.1.is_some() {
        return Ok(false);
    }
    set_mark(db, Some(stamp(now)?))
}

/// Takes the mark of C9 away.
pub(crate) fn clear_setup_mark(db: &Db<'_>) -> Result<bool, StoreError> {
    if installation_row(db)?.1.is_none() {
        return Ok(false);
    }
    set_mark(db, None)
}

fn set_mark(db: &Db<'_>, mark: Option<String>) -> Result<bool, StoreError> {
    db.execute(
        "UPDATE installation SET setup_completed_at = ?1 WHERE id = 1",
        params![mark],
    )
    .map_err(db.failed("writing the setup mark"))?;
    Ok(true)
}

fn no_installation(db: &Db<'_>) -> StoreError {
    wrong_row(
        db,
        "the row of table installation is missing".to_owned(),
        None,
    )
}

/// A row that a person may have edited.
fn wrong_row(db: &Db<'_>, what: String, source: Option<Cause>) -> StoreError {
    StoreError::WrongRow {
        path: db.path.to_string(),
        what,
        source,
    }
}
