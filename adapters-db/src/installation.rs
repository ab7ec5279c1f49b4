//! The installation: its id, and the mark that setup was completed (C9).

use domain::InstallationId;
use ports::StoreError;
use rusqlite::{OptionalExtension, params};
use time::OffsetDateTime;

use crate::columns::{stamp, text, time as time_column};
use crate::db::Db;

/// The id and the mark.
pub(crate) fn read(
    db: &Db<'_>,
) -> Result<(Option<InstallationId>, Option<OffsetDateTime>), StoreError> {
    let (id, mark) = row(db)?;
    Ok((id.map(|id| parse(db, &id)).transpose()?, mark))
}

/// The id, where the caller cannot do without.
pub(crate) fn id(db: &Db<'_>) -> Result<InstallationId, StoreError> {
    let (id, _) = row(db)?;
    parse(db, &id.ok_or_else(|| missing(db))?)
}

fn row(db: &Db<'_>) -> Result<(Option<String>, Option<OffsetDateTime>), StoreError> {
    db.query_row(
        "SELECT installation_id, setup_completed_at FROM installation WHERE id = 1",
        [],
        |row| Ok((text(row, 0)?, time_column(row, 1)?)),
    )
    .optional()
    .map_err(db.failed("reading the installation"))?
    .ok_or_else(|| missing(db))
}

fn missing(db: &Db<'_>) -> StoreError {
    db.wrong_row("the row of table installation is missing", None)
}

fn parse(db: &Db<'_>, id: &str) -> Result<InstallationId, StoreError> {
    InstallationId::parse(id).map_err(|error| {
        let what = "the installation id in table installation cannot be right";
        db.wrong_row(what, Some(error.into()))
    })
}

/// Sets the mark where there is none.
pub(crate) fn mark_setup_completed(db: &Db<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    match row(db)? {
        (_, Some(_)) => Ok(false),
        (_, None) => set_mark(db, Some(stamp(now)?)),
    }
}

/// Takes the mark away.
pub(crate) fn clear_setup_mark(db: &Db<'_>) -> Result<bool, StoreError> {
    match row(db)? {
        (_, None) => Ok(false),
        (_, Some(_)) => set_mark(db, None),
    }
}

fn set_mark(db: &Db<'_>, mark: Option<String>) -> Result<bool, StoreError> {
    db.execute(
        "UPDATE installation SET setup_completed_at = ?1 WHERE id = 1",
        params![mark],
    )
    .map_err(db.failed("writing the setup mark"))?;
    Ok(true)
}
