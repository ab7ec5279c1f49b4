//! What is known of the token: one row of `pkcs11_token`, and our KEK in `pkcs11_key`.

use domain::{KEK_LABEL, KekId};
use ports::{BackupWrappedDek, Cause, StoreError, TokenRecord, WrappedDek};
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use crate::columns::{bytes, has_column, required, stamp, text, time as time_column};
use crate::db::Db;
use crate::shown::quoted;

const TOKEN: i64 = 1;

/// The states of a key.
const CURRENT: &str = "current";
const PENDING: &str = "pending";
const RETIRED: &str = "retired";

/// The token, where one is stored. A schema that is behind has no rotation yet.
pub(crate) fn read(db: &Db<'_>) -> Result<Option<TokenRecord>, StoreError> {
    let reading = db.failed("reading the token");
    let rotates = has_column(db, "pkcs11_key", "state").map_err(&reading)?;
    let since = if rotates { "bek_set_at" } else { "NULL" };
    let record = db
        .query_row(
            &format!(
                "SELECT label, serial, module_path, encrypted_dek, bek_encrypted_dek, \
                 dek_check_value, {since} FROM pkcs11_token WHERE id = ?1"
            ),
            [TOKEN],
            from_row,
        )
        .optional()
        .map_err(&reading)?;
    let Some(mut record) = record else {
        return Ok(None);
    };
    let wrong_id = |source: Cause| StoreError::WrongKekId {
        path: db.path.to_string(),
        source,
    };
    for (state, id) in keys(db, rotates).map_err(reading)? {
        let Some(id) = id else { continue };
        let id = KekId::new(&id).map_err(|error| wrong_id(error.into()))?;
        match state.as_deref() {
            None | Some(CURRENT) => record.kek = Some(id),
            Some(PENDING) => record.pending_kek = Some(id),
            Some(RETIRED) => record.retired_keks.push(id),
            Some(other) => {
                let why = format!("{} is no state of a key", quoted(other));
                return Err(wrong_id(why.into()));
            }
        }
    }
    Ok(Some(record))
}

type Key = (Option<String>, Option<Vec<u8>>);

fn keys(connection: &Connection, rotates: bool) -> rusqlite::Result<Vec<Key>> {
    let state = if rotates { "state" } else { "NULL" };
    connection
        .prepare(&format!(
            "SELECT {state}, key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id"
        ))?
        .query_map([TOKEN], |row| Ok((text(row, 0)?, bytes(row, 1)?)))?
        .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    Ok(TokenRecord {
        label: required(0, text(row, 0)?)?,
        serial: required(1, text(row, 1)?)?,
        module_path: text(row, 2)?.unwrap_or_default(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        encrypted_dek: bytes(row, 3)?.map(WrappedDek),
        backup_encrypted_dek: bytes(row, 4)?.map(BackupWrappedDek),
        backup_password_set_at: time_column(row, 6)?,
        dek_check_value: bytes(row, 5)?,
    })
}

/// Stores the token and its KEK in place of what was known.
pub(crate) fn save(db: &Db<'_>, token: &TokenRecord) -> Result<(), StoreError> {
    // What cannot be read is replaced as well: this is how it is put right.
    if matches!(read(db), Ok(Some(known)) if known == *token) {
        return Ok(());
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    let since = token.backup_password_set_at.map(stamp).transpose()?;
    put(db, token, since, &now).map_err(db.failed("storing the token"))
}

fn put(
    transaction: &Connection,
    token: &TokenRecord,
    since: Option<String>,
    now: &str,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO pkcs11_token (id, label, serial, module_path, encrypted_dek, \
         bek_encrypted_dek, dek_check_value, bek_set_at, created_at, last_updated) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) \
         ON CONFLICT (id) DO UPDATE SET label = ?2, serial = ?3, module_path = ?4, \
         encrypted_dek = ?5, bek_encrypted_dek = ?6, dek_check_value = ?7, bek_set_at = ?8, \
         last_updated = ?9",
        params![
            TOKEN,
            token.label,
            token.serial,
            token.module_path,
            token.encrypted_dek.as_ref().map(|dek| &dek.0),
            token.backup_encrypted_dek.as_ref().map(|dek| &dek.0),
            token.dek_check_value,
            since,
            now,
        ],
    )?;
    put_keys(transaction, token, now)
}

/// Brings the rows of the keys to what they should be; one that is right is left as it is, with the
/// time at which its key was made.
fn put_keys(transaction: &Connection, token: &TokenRecord, now: &str) -> rusqlite::Result<()> {
    let retired = token.retired_keks.iter().map(|kek| (RETIRED, kek));
    let current = token.kek.iter().map(|kek| (CURRENT, kek));
    let pending = token.pending_kek.iter().map(|kek| (PENDING, kek));
    let mut left: Vec<(&str, &KekId)> = retired.chain(current).chain(pending).collect();
    for (row, id) in stored_keys(transaction)? {
        match left
            .iter()
            .position(|(_, kek)| Some(kek.as_bytes()) == id.as_deref())
        {
            Some(place) => {
                let (state, _) = left.remove(place);
                transaction.execute(
                    "UPDATE pkcs11_key SET label = ?2, state = ?3 \
                     WHERE id = ?1 AND (label IS NOT ?2 OR state IS NOT ?3)",
                    params![row, KEK_LABEL, state],
                )?;
            }
            None => {
                transaction.execute("DELETE FROM pkcs11_key WHERE id = ?1", [row])?;
            }
        }
    }
    for (state, kek) in left {
        transaction.execute(
            "INSERT INTO pkcs11_key (token_id, label, key_id, state, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![TOKEN, KEK_LABEL, kek.as_bytes(), state, now],
        )?;
    }
    Ok(())
}

/// The rows of the keys with their key ids; `None` for one that is no bytes.
fn stored_keys(transaction: &Connection) -> rusqlite::Result<Vec<(i64, Option<Vec<u8>>)>> {
    transaction
        .prepare("SELECT id, key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id")?
        .query_map([TOKEN], |row| {
            Ok((row.get(0)?, bytes(row, 1).ok().flatten()))
        })?
        .collect()
}
