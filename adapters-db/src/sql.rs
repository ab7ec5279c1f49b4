//! SQL that SQLite and PostgreSQL both understand, asked of whichever database it is.

use std::borrow::Cow;

use camino::Utf8Path;
use ports::{Cause, DatabaseTrouble, StoreError};
use rusqlite::types::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::shown::cut;

/// The longest name, version, number or time that anybody could have written: they end in
/// messages and reports.
const LONGEST_NAME: usize = 4096;

/// A parameter of a statement, in which `$1` is the first.
#[derive(Clone)]
pub(crate) enum Param<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Param<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its parameters.
pub(crate) type Statement<'a> = (&'a str, Vec<Param<'a>>);

/// What the statements that both understand need of a database. `doing` is like "reading the token".
pub(crate) trait Sql {
    /// Asks, and gives all rows.
    fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError>;

    /// Carries out what gives no rows, before anything else is asked and before the end of the
    /// transaction.
    fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError>;

    /// Whether there is this table with this column: a schema that is behind may lack it.
    fn has_column(&self, table: &str, column: &str) -> Result<bool, StoreError>;

    /// Notes in the transaction that what was removed has to be taken out of the files
    /// ([`ports::NodeStore::scrub`]).
    fn mark_scrub(&self) -> Result<(), StoreError>;

    /// Whether that is noted.
    fn is_scrub_due(&self) -> Result<bool, StoreError>;
}

/// The tables of a database whose schema is known to be ours, with the name that errors give it.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub(crate) name: &'a Utf8Path,
    sql: &'a dyn Sql,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(name: &'a Utf8Path, sql: &'a dyn Sql) -> Self {
        Self { name, sql }
    }

    /// What `read` makes of each row.
    pub(crate) fn query<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&mut Row) -> Result<T, WrongColumn>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.sql.rows(doing, sql, params)?;
        rows.into_iter()
            .map(|row| read(&mut Row(row)))
            .collect::<Result<_, _>>()
            .map_err(|WrongColumn(source)| StoreError::Failed {
                path: self.name.to_string(),
                doing,
                trouble: DatabaseTrouble::Damaged,
                source,
            })
    }

    /// What `read` makes of the first row, where there is one.
    pub(crate) fn first<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnMut(&mut Row) -> Result<T, WrongColumn>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.query(doing, sql, params, read)?.into_iter().next())
    }

    /// Whether the statement, which ends with `RETURNING id`, changed anything.
    pub(crate) fn changes(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<bool, StoreError> {
        Ok(!self.sql.rows(doing, sql, params)?.is_empty())
    }

    /// See [`Sql::execute`].
    pub(crate) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        self.sql.execute(doing, sql, params)
    }

    /// Whether there is this table; each of ours has an `id`.
    pub(crate) fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        self.sql.has_column(table, "id")
    }

    /// See [`Sql::has_column`].
    pub(crate) fn has_column(&self, table: &str, column: &str) -> Result<bool, StoreError> {
        self.sql.has_column(table, column)
    }

    /// See [`Sql::mark_scrub`].
    pub(crate) fn mark_scrub(&self) -> Result<(), StoreError> {
        self.sql.mark_scrub()
    }

    /// See [`Sql::is_scrub_due`].
    pub(crate) fn is_scrub_due(&self) -> Result<bool, StoreError> {
        self.sql.is_scrub_due()
    }

    /// A row that a person may have edited.
    pub(crate) fn wrong_row(&self, what: &str, source: Option<Cause>) -> StoreError {
        StoreError::WrongRow {
            path: self.name.to_string(),
            what: what.to_owned(),
            source,
        }
    }
}

/// Why a column cannot be read.
#[derive(Debug)]
pub(crate) struct WrongColumn(Cause);

impl WrongColumn {
    fn new(column: usize, why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self(format!("column {} of the row: {}", column + 1, cut(&why)).into())
    }
}

/// A row that a person may have edited: the type that stands in a column of SQLite is not always the
/// one that was declared.
pub(crate) struct Row(Vec<Value>);

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    fn value(&self, column: usize) -> Result<&Value, WrongColumn> {
        let value = self.0.get(column);
        value.ok_or_else(|| WrongColumn::new(column, "there is no such column"))
    }

    /// Text of one line, or `None` for NULL.
    pub(crate) fn text(&self, column: usize) -> Result<Option<String>, WrongColumn> {
        let text = self.long_text(column)?;
        match &text {
            Some(name) if name.len() > LONGEST_NAME => {
                let length = name.len();
                let why = format!("it has {length} bytes, {LONGEST_NAME} at most can be right");
                Err(WrongColumn::new(column, why))
            }
            _ => Ok(text),
        }
    }

    /// Text of any length, or `None` for NULL.
    pub(crate) fn long_text(&self, column: usize) -> Result<Option<String>, WrongColumn> {
        Ok(match self.value(column)? {
            Value::Null => None,
            Value::Text(text) => Some(text.clone()),
            Value::Blob(bytes) => {
                let text = std::str::from_utf8(bytes);
                Some(
                    text.map_err(|error| WrongColumn::new(column, error))?
                        .into(),
                )
            }
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
        })
    }

    /// Bytes, taken out of the row, or `None` for NULL. No bytes are bytes too: whether they can be
    /// right is for the caller.
    pub(crate) fn bytes(&mut self, column: usize) -> Result<Option<Vec<u8>>, WrongColumn> {
        let place = self.0.get_mut(column);
        match place.map_or(Value::Null, |place| std::mem::replace(place, Value::Null)) {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.into_bytes())),
            Value::Blob(bytes) => Ok(Some(bytes)),
            Value::Integer(_) | Value::Real(_) => Err(WrongColumn::new(
                column,
                "it is a number and should be bytes",
            )),
        }
    }

    /// A whole number, or `None` for NULL.
    pub(crate) fn number(&self, column: usize) -> Result<Option<i64>, WrongColumn> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(*number)),
            _ => Err(WrongColumn::new(column, "it should be a whole number")),
        }
    }

    /// A time in UTC, or `None` for NULL.
    pub(crate) fn time(&self, column: usize) -> Result<Option<OffsetDateTime>, WrongColumn> {
        self.text(column)?
            .map(|text| OffsetDateTime::parse(&text, &Rfc3339))
            .transpose()
            .map_err(|error| WrongColumn::new(column, error))
    }
}

/// What can not be NULL in this place.
pub(crate) fn required<T>(column: usize, value: Option<T>) -> Result<T, WrongColumn> {
    value.ok_or_else(|| WrongColumn::new(column, "there is nothing in it"))
}

/// A number that cannot be more than `T` holds.
pub(crate) fn fitting<T: TryFrom<i64>>(column: usize, number: i64) -> Result<T, WrongColumn> {
    T::try_from(number).map_err(|_| WrongColumn::new(column, format!("{number} is out of range")))
}

/// RFC 3339 in UTC, to the second, as every time is written.
pub(crate) fn stamp(time: OffsetDateTime) -> Result<String, StoreError> {
    let failed = |source: Cause| StoreError::Time { time, source };
    time.to_offset(UtcOffset::UTC)
        .replace_nanosecond(0)
        .map_err(|error| failed(error.into()))?
        .format(&Rfc3339)
        .map_err(|error| failed(error.into()))
}
