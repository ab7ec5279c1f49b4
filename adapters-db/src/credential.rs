//! TLS server credentials: one row each, one of them active.

use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, CredentialWithKey, Dek, FaultKind,
    NewCredential, SealedKey, Secret, StoreError, StoredKey, in_full,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::columns::{bytes, has_table, long_text, required, stamp, text};
use crate::db::Db;
use crate::key_sealing::{opens, seal};
use crate::{installation, scrub};

const CLEAR: &str = "pkcs8_pem";
pub(crate) const SEALED: &str = "sealed_v1";

/// A private key as it stands in its row.
enum KeyColumn {
    Clear(Secret),
    Sealed(Vec<u8>),
    /// NULL, empty, or of no format this program knows.
    Unusable,
}

impl KeyColumn {
    /// From the columns `private_key` and `private_key_format`.
    fn from_row(row: &Row<'_>, key: usize, format: usize) -> rusqlite::Result<Self> {
        let format = text(row, format)?;
        let key = bytes(row, key)?.filter(|key| !key.is_empty());
        Ok(match (key, format.as_deref()) {
            (Some(key), Some(CLEAR)) => Self::Clear(Secret::new(key)),
            (Some(key), Some(SEALED)) => Self::Sealed(key),
            (Some(key), _) => {
                drop(Zeroizing::new(key));
                Self::Unusable
            }
            (None, _) => Self::Unusable,
        })
    }
}

/// The columns that [`with_key`] reads.
const COLUMNS: &str = "c.sha256_fingerprint, c.certificate_pem, c.chain_pem, c.private_key, \
                       c.private_key_format, c.source";

/// The active credential. What a person may have broken in its rows does not keep the node from
/// being read.
pub(crate) fn active(db: &Db<'_>) -> Result<ActiveCredential, StoreError> {
    read_active(db).or_else(|error| match error.kind() {
        FaultKind::DataCorrupt => Ok(ActiveCredential::Unreadable(in_full(&error))),
        _ => Err(error),
    })
}

fn read_active(db: &Db<'_>) -> Result<ActiveCredential, StoreError> {
    let reading = db.failed("reading the active TLS credential");
    // A schema that is behind may have no credentials yet.
    if !has_table(db, "active_tls_server_credential").map_err(&reading)? {
        return Ok(ActiveCredential::None);
    }
    // A row with NULL in every column is one whose credential is gone.
    let row = db
        .query_row(
            &format!(
                "SELECT {COLUMNS}, c.id FROM active_tls_server_credential a \
                 LEFT JOIN credential c ON c.id = a.credential_id WHERE a.id = 1"
            ),
            [],
            |row| match row.get(6)? {
                None::<i64> => Ok(None),
                Some(_) => from_row(row).map(Some),
            },
        )
        .optional()
        .map_err(reading)?;
    Ok(match row {
        None => ActiveCredential::None,
        Some(None) => {
            ActiveCredential::Unreadable("the row that is marked active does not exist".to_owned())
        }
        Some(Some(row)) => ActiveCredential::Stored(Box::new(with_key(db, row)?)),
    })
}

/// The credential with this fingerprint, active or not.
pub(crate) fn find(
    db: &Db<'_>,
    fingerprint: &str,
) -> Result<Option<CredentialWithKey>, StoreError> {
    db.query_row(
        &format!("SELECT {COLUMNS} FROM credential c WHERE c.sha256_fingerprint = ?1"),
        [fingerprint],
        from_row,
    )
    .optional()
    .map_err(db.failed("reading a TLS credential"))?
    .map(|row| with_key(db, row))
    .transpose()
}

/// A credential without what its key is bound to.
struct CredentialRow {
    fingerprint: String,
    certificate_pem: String,
    chain_pem: Option<String>,
    key: KeyColumn,
    origin: CredentialOrigin,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<CredentialRow> {
    Ok(CredentialRow {
        fingerprint: required(0, text(row, 0)?)?,
        certificate_pem: required(1, long_text(row, 1)?)?,
        chain_pem: long_text(row, 2)?,
        key: KeyColumn::from_row(row, 3, 4)?,
        origin: origin(row, 5)?,
    })
}

fn with_key(db: &Db<'_>, row: CredentialRow) -> Result<CredentialWithKey, StoreError> {
    Ok(CredentialWithKey {
        key: match row.key {
            KeyColumn::Clear(key) => StoredKey::Clear(key),
            KeyColumn::Sealed(blob) => StoredKey::Sealed(SealedKey {
                blob,
                installation: installation::id(db)?,
                fingerprint: row.fingerprint.clone(),
            }),
            KeyColumn::Unusable => StoredKey::Missing,
        },
        sha256_fingerprint: row.fingerprint,
        certificate_pem: row.certificate_pem,
        chain_pem: row.chain_pem,
        origin: row.origin,
    })
}

/// Rows from before the column was filled were all made by this program.
pub(crate) fn origin(row: &Row<'_>, column: usize) -> rusqlite::Result<CredentialOrigin> {
    let origin = text(row, column)?;
    Ok(CredentialOrigin::ALL
        .into_iter()
        .find(|known| origin.as_deref() == Some(known.name()))
        .unwrap_or(CredentialOrigin::Generated))
}

/// Saves and activates. Where all of it stands there already nothing is written.
pub(crate) fn save_active(
    db: &Db<'_>,
    new: &NewCredential<'_>,
    dek: Option<&Dek>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let saving = db.failed("saving the TLS credential");
    let now = stamp(now)?;
    let fingerprint = &new.facts.sha256_fingerprint;
    let id = match known(db, fingerprint).map_err(&saving)? {
        None => {
            let (key, format) = key_to_store(db, new, dek)?;
            insert(db, new, (&key, format), &now).map_err(&saving)?
        }
        Some((id, stored)) => {
            if needs_new_key(db, new, stored, dek)? {
                let (key, format) = key_to_store(db, new, dek)?;
                replace_key(db, id, &key, format).map_err(&saving)?;
                scrub::mark(db).map_err(&saving)?;
            }
            replace_certificates(db, id, new).map_err(&saving)?;
            id
        }
    };
    activate(db, id, &now).map_err(saving)
}

fn known(
    transaction: &Connection,
    fingerprint: &str,
) -> rusqlite::Result<Option<(i64, KeyColumn)>> {
    transaction
        .query_row(
            "SELECT id, private_key, private_key_format FROM credential \
             WHERE sha256_fingerprint = ?1",
            [fingerprint],
            |row| Ok((row.get(0)?, KeyColumn::from_row(row, 1, 2)?)),
        )
        .optional()
}

/// A key that is sealed is never stored in the clear again; one that is clear or does not open is
/// replaced by the one in hand, which belongs to the same certificate.
fn needs_new_key(
    db: &Db<'_>,
    new: &NewCredential<'_>,
    stored: KeyColumn,
    dek: Option<&Dek>,
) -> Result<bool, StoreError> {
    Ok(match (stored, dek) {
        (KeyColumn::Unusable, _) | (KeyColumn::Clear(_), Some(_)) => true,
        (KeyColumn::Clear(key), None) => key != new.credential.private_key_pem,
        (KeyColumn::Sealed(_), None) => false,
        (KeyColumn::Sealed(blob), Some(dek)) => !opens(
            dek,
            &SealedKey {
                blob,
                installation: installation::id(db)?,
                fingerprint: new.facts.sha256_fingerprint.clone(),
            },
        ),
    })
}

fn key_to_store(
    db: &Db<'_>,
    new: &NewCredential<'_>,
    dek: Option<&Dek>,
) -> Result<(Zeroizing<Vec<u8>>, &'static str), StoreError> {
    let key = &new.credential.private_key_pem;
    Ok(match dek {
        None => (Zeroizing::new(key.expose().to_vec()), CLEAR),
        Some(dek) => {
            let fingerprint = &new.facts.sha256_fingerprint;
            let sealed = seal(dek, &installation::id(db)?, fingerprint, key)?;
            (Zeroizing::new(sealed), SEALED)
        }
    })
}

fn insert(
    transaction: &Connection,
    new: &NewCredential<'_>,
    (key, format): (&[u8], &str),
    now: &str,
) -> rusqlite::Result<i64> {
    let time =
        |time| stamp(time).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()));
    let CertificateFacts {
        sha256_fingerprint,
        not_before,
        not_after,
    } = new.facts;
    transaction.execute(
        "INSERT INTO credential (sha256_fingerprint, certificate_pem, chain_pem, private_key, \
         private_key_format, not_before, not_after, created_at, source) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            sha256_fingerprint,
            new.credential.certificate_pem,
            new.credential.chain_pem,
            key,
            format,
            time(*not_before)?,
            time(*not_after)?,
            now,
            new.origin.name()
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn replace_key(
    transaction: &Connection,
    id: i64,
    key: &[u8],
    format: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE credential SET private_key = ?2, private_key_format = ?3 WHERE id = ?1",
            params![id, key, format],
        )
        .map(drop)
}

/// The same certificate may come again with a chain that was put right, or because what stands
/// here was damaged.
fn replace_certificates(
    transaction: &Connection,
    id: i64,
    new: &NewCredential<'_>,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE credential SET certificate_pem = ?2, chain_pem = ?3 \
             WHERE id = ?1 AND (certificate_pem IS NOT ?2 OR chain_pem IS NOT ?3)",
            params![id, new.credential.certificate_pem, new.credential.chain_pem],
        )
        .map(drop)
}

fn activate(transaction: &Connection, id: i64, now: &str) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO active_tls_server_credential (id, credential_id, activated_at) \
             VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE \
             SET credential_id = ?1, activated_at = ?2 WHERE credential_id IS NOT ?1",
            params![id, now],
        )
        .map(drop)
}

/// Seals every key that stands in the clear. Returns how many.
pub(crate) fn seal_all(db: &Db<'_>, dek: &Dek) -> Result<usize, StoreError> {
    let sealing = db.failed("sealing the private keys");
    let clear = clear_keys(db).map_err(&sealing)?;
    if clear.is_empty() {
        return Ok(0);
    }
    let installation = installation::id(db)?;
    for (id, fingerprint, key) in &clear {
        let sealed = seal(dek, &installation, fingerprint, key)?;
        replace_key(db, *id, &sealed, SEALED).map_err(&sealing)?;
    }
    scrub::mark(db).map_err(sealing)?;
    Ok(clear.len())
}

fn clear_keys(connection: &Connection) -> rusqlite::Result<Vec<(i64, String, Secret)>> {
    connection
        .prepare(
            "SELECT id, sha256_fingerprint, private_key FROM credential \
             WHERE private_key_format = ?1 AND length(private_key) > 0",
        )?
        .query_map([CLEAR], |row| {
            Ok((
                row.get(0)?,
                required(1, text(row, 1)?)?,
                Secret::new(required(2, bytes(row, 2)?)?),
            ))
        })?
        .collect()
}
