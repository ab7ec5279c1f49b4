//! What the database says of the node.

use domain::{SchemaState, StorageType};
use ports::{ActiveCredential, NodeRecord, Sealing, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use crate::classify::FileContent;
use crate::columns::{stamp, text};
use crate::db::Db;
use crate::shown::quoted;
use crate::{credential, history, installation, scrub, sealing};

/// Reads the node in the transaction of the caller; `None` where there is no schema yet.
pub(crate) fn record(db: &Db<'_>, found: FileContent) -> Result<Option<NodeRecord>, StoreError> {
    match found {
        FileContent::Nothing => Ok(None),
        FileContent::Schema(schema @ (SchemaState::Current | SchemaState::Behind)) => {
            read(db, schema).map(Some)
        }
        FileContent::Schema(schema @ (SchemaState::Newer | SchemaState::Diverged)) => {
            Ok(Some(read_version_alone(db, schema)))
        }
    }
}

fn read(db: &Db<'_>, schema: SchemaState) -> Result<NodeRecord, StoreError> {
    let (version, container_id) = app_version(db)
        .map_err(db.failed("reading the version"))?
        .unwrap_or_default();
    let (installation, setup_completed_at) = installation::read(db)?;
    Ok(NodeRecord {
        schema,
        version,
        container_id,
        installation,
        setup_completed_at,
        storage: read_storage(db)?,
        sealing: sealing::read(db)?,
        active_credential: credential::active(db)?,
        last_backup_at: match schema {
            SchemaState::Current => history::last_backup(db)?,
            _ => None,
        },
        is_scrub_due: scrub::is_due(db).map_err(db.failed("reading the mark of a scrub"))?,
        nodes: Vec::new(),
    })
}

/// A schema that this program does not know: the version alone, and that only if it can be read.
fn read_version_alone(connection: &Connection, schema: SchemaState) -> NodeRecord {
    let (version, container_id) = app_version(connection).ok().flatten().unwrap_or_default();
    NodeRecord {
        schema,
        version,
        container_id,
        installation: None,
        setup_completed_at: None,
        storage: None,
        sealing: Sealing::default(),
        active_credential: ActiveCredential::None,
        last_backup_at: None,
        is_scrub_due: false,
        nodes: Vec::new(),
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
    let name = name.unwrap_or_default();
    name.parse().map(Some).map_err(|()| {
        let what = format!(
            "the storage type {} in table key_storage_config is none of software, softhsm and \
             physical_hsm",
            quoted(&name)
        );
        db.wrong_row(&what, None)
    })
}

/// Sets the storage where there is none.
pub(crate) fn configure_storage(db: &Db<'_>, wanted: StorageType) -> Result<bool, StoreError> {
    match read_storage(db)? {
        Some(_) => Ok(false),
        None => set_storage(db, wanted),
    }
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
