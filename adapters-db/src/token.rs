//! What is known of the token: one row of `pkcs11_token`, and our KEK in `pkcs11_key`.

use camino::Utf8Path;
use domain::{KEK_LABEL, KekId};
use ports::{BackupWrappedDek, Fault, FaultKind, TokenRecord, WrappedDek};
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use crate::columns::{bytes, required, stamp, text};
use crate::sql_error::fault;

const TOKEN: i64 = 1;

/// The token, where one is stored.
pub(crate) fn read(path: &Utf8Path, connection: &Connection) -> Result<Option<TokenRecord>, Fault> {
    let reading = |error| fault(path, "reading the token", error);
    let record = connection
        .query_row(
            "SELECT label, serial, module_path, encrypted_dek, bek_encrypted_dek, \
             dek_check_value FROM pkcs11_token WHERE id = ?1",
            [TOKEN],
            from_row,
        )
        .optional()
        .map_err(reading)?;
    let Some(record) = record else {
        return Ok(None);
    };
    let id = connection
        .query_row(
            "SELECT key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id DESC LIMIT 1",
            [TOKEN],
            |row| bytes(row, 0),
        )
        .optional()
        .map_err(reading)?
        .flatten();
    let kek = id.map(|id| KekId::new(&id)).transpose().map_err(|error| {
        Fault::new(
            FaultKind::DataCorrupt,
            format!("the KEK id in table pkcs11_key cannot be right (database {path})"),
            "restore the newest snapshot or a backup (`backup restore`)",
        )
        .because(error)
    })?;
    Ok(Some(TokenRecord { kek, ..record }))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    Ok(TokenRecord {
        label: required(0, text(row, 0)?)?,
        serial: required(1, text(row, 1)?)?,
        module_path: text(row, 2)?.unwrap_or_default(),
        kek: None,
        encrypted_dek: bytes(row, 3)?.map(WrappedDek),
        backup_encrypted_dek: bytes(row, 4)?.map(BackupWrappedDek),
        dek_check_value: bytes(row, 5)?,
    })
}

/// Stores the token and its KEK in place of what was known, in one transaction.
pub(crate) fn save(
    path: &Utf8Path,
    connection: &mut Connection,
    token: &TokenRecord,
) -> Result<(), Fault> {
    // What cannot be read is replaced as well: this is how it is put right.
    if matches!(read(path, connection), Ok(Some(known)) if known == *token) {
        return Ok(());
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    put(connection, token, &now).map_err(|error| fault(path, "storing the token", error))
}

fn put(connection: &mut Connection, token: &TokenRecord, now: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO pkcs11_token (id, label, serial, module_path, encrypted_dek, \
         bek_encrypted_dek, dek_check_value, created_at, last_updated) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) \
         ON CONFLICT (id) DO UPDATE SET label = ?2, serial = ?3, module_path = ?4, \
         encrypted_dek = ?5, bek_encrypted_dek = ?6, dek_check_value = ?7, last_updated = ?8",
        params![
            TOKEN,
            token.label,
            token.serial,
            token.module_path,
            token.encrypted_dek.as_ref().map(|dek| &dek.0),
            token.backup_encrypted_dek.as_ref().map(|dek| &dek.0),
            token.dek_check_value,
            now,
        ],
    )?;
    transaction.execute("DELETE FROM pkcs11_key WHERE token_id = ?1", [TOKEN])?;
    if let Some(kek) = &token.kek {
        transaction.execute(
            "INSERT INTO pkcs11_key (token_id, label, key_id, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![TOKEN, KEK_LABEL, kek.as_bytes(), now],
        )?;
    }
    transaction.commit()
}
