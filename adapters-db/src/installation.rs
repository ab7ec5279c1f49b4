//! The installation: its id, and the mark that setup was completed (C9).

use domain::InstallationId;
use ports::StoreError;
use time::OffsetDateTime;

use crate::sql::{Tables, stamp};

/// Asks for the one row.
pub(crate) const ROW: &str =
    "SELECT installation_id, setup_completed_at FROM installation WHERE id = 1";

/// The id and the mark.
pub(crate) fn read(
    tables: &Tables<'_>,
) -> Result<(Option<InstallationId>, Option<OffsetDateTime>), StoreError> {
    let (id, mark) = row(tables)?;
    Ok((id.map(|id| parse(tables, &id)).transpose()?, mark))
}

/// The id, where the caller cannot do without.
pub(crate) fn id(tables: &Tables<'_>) -> Result<InstallationId, StoreError> {
    let (id, _) = row(tables)?;
    parse(tables, &id.ok_or_else(|| missing(tables))?)
}

fn row(tables: &Tables<'_>) -> Result<(Option<String>, Option<OffsetDateTime>), StoreError> {
    let row = tables.first("reading the installation", ROW, &[], |row| {
        Ok((row.text(0)?, row.time(1)?))
    })?;
    row.ok_or_else(|| missing(tables))
}

fn missing(tables: &Tables<'_>) -> StoreError {
    tables.wrong_row("the row of table installation is missing", None)
}

fn parse(tables: &Tables<'_>, id: &str) -> Result<InstallationId, StoreError> {
    InstallationId::parse(id).map_err(|error| {
        let what = "the installation id in table installation cannot be right";
        tables.wrong_row(what, Some(error.into()))
    })
}

/// Sets the mark where there is none.
pub(crate) fn mark_setup_completed(
    tables: &Tables<'_>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    match row(tables)? {
        (_, Some(_)) => Ok(false),
        (_, None) => set_mark(tables, Some(stamp(now)?)),
    }
}

/// Takes the mark away.
pub(crate) fn clear_setup_mark(tables: &Tables<'_>) -> Result<bool, StoreError> {
    match row(tables)? {
        (_, None) => Ok(false),
        (_, Some(_)) => set_mark(tables, None),
    }
}

fn set_mark(tables: &Tables<'_>, mark: Option<String>) -> Result<bool, StoreError> {
    let sql = "UPDATE installation SET setup_completed_at = $1 WHERE id = 1";
    tables.execute("writing the setup mark", sql, &[mark.into()])?;
    Ok(true)
}
