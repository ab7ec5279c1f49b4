//! Reading columns that a person may have edited: the type that stands there is not always the
//! one that was declared.

use ports::{Cause, StoreError};
use rusqlite::types::{FromSqlError, Type, ValueRef};
use rusqlite::{Connection, Error, Result, Row};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The longest name, version, number or time that anybody could have written: they end in
/// messages and reports.
const LONGEST_NAME: usize = 4096;

/// Whether there is this table: a schema that is behind may lack it.
pub(crate) fn has_table(connection: &Connection, name: &str) -> Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
        [name],
        |row| row.get(0),
    )
}

/// Whether the table has this column.
pub(crate) fn has_column(connection: &Connection, table: &str, name: &str) -> Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
        [table, name],
        |row| row.get(0),
    )
}

/// Text of one line, or `None` for NULL.
pub(crate) fn text(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    let text = long_text(row, column)?;
    match &text {
        Some(name) if name.len() > LONGEST_NAME => Err(Error::FromSqlConversionFailure(
            column,
            Type::Text,
            format!(
                "it has {} bytes, {LONGEST_NAME} at most can be right",
                name.len()
            )
            .into(),
        )),
        _ => Ok(text),
    }
}

/// Text of any length, or `None` for NULL.
pub(crate) fn long_text(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(
            std::str::from_utf8(bytes)
                .map_err(|error| {
                    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
                })?
                .to_owned(),
        ),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
    })
}

/// Bytes, or `None` for NULL. No bytes are bytes too: whether they can be right is for the caller.
pub(crate) fn bytes(row: &Row<'_>, column: usize) -> Result<Option<Vec<u8>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes.to_vec())),
        other => Err(Error::FromSqlConversionFailure(
            column,
            other.data_type(),
            Box::new(FromSqlError::InvalidType),
        )),
    }
}

/// A time in UTC, or `None` for NULL.
pub(crate) fn time(row: &Row<'_>, column: usize) -> Result<Option<OffsetDateTime>> {
    text(row, column)?
        .map(|text| OffsetDateTime::parse(&text, &Rfc3339))
        .transpose()
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// What can not be NULL in this place.
pub(crate) fn required<T>(column: usize, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| {
        Error::FromSqlConversionFailure(column, Type::Null, Box::new(FromSqlError::InvalidType))
    })
}

/// RFC 3339 in UTC, to the second, as every time is written.
pub(crate) fn stamp(time: OffsetDateTime) -> std::result::Result<String, StoreError> {
    let failed = |source: Cause| StoreError::Time { time, source };
    time.to_offset(UtcOffset::UTC)
        .replace_nanosecond(0)
        .map_err(|error| failed(error.into()))?
        .format(&Rfc3339)
        .map_err(|error| failed(error.into()))
}
