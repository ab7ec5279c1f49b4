//! What the database says of the node.

use domain::{SchemaState, StorageType};
use ports::{ActiveCredential, NodeRecord, Sealing, StoreError};
use time::OffsetDateTime;

use crate::content::Content;
use crate::shown::quoted;
use crate::sql::{Tables, stamp};
use crate::{credential, history, installation, sealing};

const VERSION: &str = "SELECT version, container_id FROM app_version WHERE id = 1";
const STORAGE: &str = "SELECT storage_type FROM key_storage_config WHERE id = 1";
/// What the setting of a storage does.
pub(crate) const WRITING_STORAGE: &str = "writing the storage configuration";

/// Reads the node in the transaction of the caller; `None` where there is no schema yet.
pub(crate) fn record(
    tables: &Tables<'_>,
    content: Content,
) -> Result<Option<NodeRecord>, StoreError> {
    match content {
        Content::Nothing => Ok(None),
        Content::Schema(schema @ (SchemaState::Current | SchemaState::Behind)) => {
            read(tables, schema).map(Some)
        }
        Content::Schema(schema @ (SchemaState::Newer | SchemaState::Diverged)) => {
            Ok(Some(read_version_alone(tables, schema)))
        }
    }
}

/// The statements that [`record`] asks, so that they can be sent together.
pub(crate) fn statements(tables: &Tables<'_>) -> Result<Vec<&'static str>, StoreError> {
    let mut statements = vec![VERSION, STORAGE, installation::ROW];
    statements.extend(sealing::statements(tables)?);
    statements.extend(credential::active_statement(tables)?);
    statements.extend(history::last_backup_statement(tables)?);
    Ok(statements)
}

fn read(tables: &Tables<'_>, schema: SchemaState) -> Result<NodeRecord, StoreError> {
    let (version, container_id) = app_version(tables)?;
    let (installation, setup_completed_at) = installation::read(tables)?;
    Ok(NodeRecord {
        schema,
        version,
        container_id,
        installation,
        setup_completed_at,
        storage: read_storage(tables)?,
        sealing: sealing::read(tables)?,
        active_credential: credential::active(tables)?,
        last_backup_at: history::last_backup(tables)?,
        is_scrub_due: tables.is_scrub_due()?,
        nodes: Vec::new(),
    })
}

/// A schema that this program does not know: the version alone, and that only if it can be read.
fn read_version_alone(tables: &Tables<'_>, schema: SchemaState) -> NodeRecord {
    let (version, container_id) = app_version(tables).unwrap_or_default();
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
pub(crate) fn version(tables: &Tables<'_>) -> Option<String> {
    app_version(tables).ok()?.0
}

fn app_version(tables: &Tables<'_>) -> Result<(Option<String>, Option<String>), StoreError> {
    let row = tables.first("reading the version", VERSION, &[], |row| {
        Ok((row.text(0)?, row.text(1)?))
    })?;
    Ok(row.unwrap_or_default())
}

fn read_storage(tables: &Tables<'_>) -> Result<Option<StorageType>, StoreError> {
    let doing = "reading the storage configuration";
    let name = tables.first(doing, STORAGE, &[], |row| row.text(0))?;
    let Some(name) = name else { return Ok(None) };
    let name = name.unwrap_or_default();
    name.parse().map(Some).map_err(|()| {
        let what = format!(
            "the storage type {} in table key_storage_config is none of software, softhsm and \
             physical_hsm",
            quoted(&name)
        );
        tables.wrong_row(&what, None)
    })
}

/// Sets the storage where there is none.
pub(crate) fn configure_storage(
    tables: &Tables<'_>,
    wanted: StorageType,
) -> Result<bool, StoreError> {
    match read_storage(tables)? {
        Some(_) => Ok(false),
        None => set_storage(tables, wanted),
    }
}

/// Sets the storage where it is another.
pub(crate) fn set_storage(tables: &Tables<'_>, wanted: StorageType) -> Result<bool, StoreError> {
    if read_storage(tables)? == Some(wanted) {
        return Ok(false);
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    tables.execute(
        WRITING_STORAGE,
        "INSERT INTO key_storage_config (id, storage_type, last_updated) VALUES (1, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET storage_type = $1, last_updated = $2",
        &[wanted.name().into(), now.into()],
    )?;
    Ok(true)
}
