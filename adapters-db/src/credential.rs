//! TLS server credentials: one row each, one of them active.

use camino::Utf8Path;
use ports::{
    ActiveCredential, CertificateFacts, CredentialKey, CredentialOrigin, Dek, Fault, FaultKind,
    Secret, TlsCredential,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::columns::{bytes, long_text, required, stamp, text};
use crate::sealing::{Place, opens, seal, unseal};
use crate::sql_error::fault;
use crate::{node, scrub};

const CLEAR: &str = "pkcs8_pem";
pub(crate) const SEALED: &str = "sealed_v1";

struct Stored {
    fingerprint: String,
    certificate_pem: String,
    chain_pem: Option<String>,
    key: StoredKey,
}

/// A private key as it stands in its row.
enum StoredKey {
    Clear(Secret),
    Sealed(Vec<u8>),
    /// NULL, empty, or of no format this program knows.
    Unusable,
}

impl StoredKey {
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

/// The active credential, where there is one.
pub(crate) fn active(
    path: &Utf8Path,
    connection: &Connection,
    dek: Option<&Dek>,
) -> Result<Option<ActiveCredential>, Fault> {
    let reading = |error| fault(path, "reading the active TLS credential", error);
    let is_active: bool = connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM active_tls_server_credential WHERE id = 1)",
            [],
            |row| row.get(0),
        )
        .map_err(reading)?;
    if !is_active {
        return Ok(None);
    }
    let stored = connection
        .query_row(
            "SELECT c.sha256_fingerprint, c.certificate_pem, c.chain_pem, c.private_key, \
             c.private_key_format FROM active_tls_server_credential a \
             JOIN credential c ON c.id = a.credential_id WHERE a.id = 1",
            [],
            stored_from_row,
        )
        .optional()
        .map_err(reading)?
        .ok_or_else(|| unreadable(path, "the row that is marked active does not exist"))?;
    open(path, connection, stored, dek).map(Some)
}

/// The credential with this fingerprint, active or not.
pub(crate) fn by_fingerprint(
    path: &Utf8Path,
    connection: &Connection,
    fingerprint: &str,
    dek: Option<&Dek>,
) -> Result<Option<ActiveCredential>, Fault> {
    let stored = connection
        .query_row(
            "SELECT sha256_fingerprint, certificate_pem, chain_pem, private_key, \
             private_key_format FROM credential WHERE sha256_fingerprint = ?1",
            [fingerprint],
            stored_from_row,
        )
        .optional()
        .map_err(|error| fault(path, "reading a TLS credential", error))?;
    stored
        .map(|stored| open(path, connection, stored, dek))
        .transpose()
}

fn open(
    path: &Utf8Path,
    connection: &Connection,
    stored: Stored,
    dek: Option<&Dek>,
) -> Result<ActiveCredential, Fault> {
    let key = match stored.key {
        StoredKey::Clear(key) => CredentialKey::Readable(key),
        StoredKey::Sealed(blob) => match dek {
            None => CredentialKey::Sealed,
            Some(dek) => {
                let installation = node::installation(path, connection)?;
                let place = Place {
                    installation: &installation,
                    fingerprint: &stored.fingerprint,
                };
                CredentialKey::Readable(unseal(dek, &place, &blob)?)
            }
        },
        StoredKey::Unusable => {
            return Err(unreadable(
                path,
                &format!("its private key ({}) is missing", stored.fingerprint),
            ));
        }
    };
    Ok(ActiveCredential {
        sha256_fingerprint: stored.fingerprint,
        certificate_pem: stored.certificate_pem,
        chain_pem: stored.chain_pem,
        key,
    })
}

fn stored_from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        fingerprint: required(0, text(row, 0)?)?,
        certificate_pem: required(1, long_text(row, 1)?)?,
        chain_pem: long_text(row, 2)?,
        key: StoredKey::from_row(row, 3, 4)?,
    })
}

/// Saves and activates, in one transaction. Where all of it stands there already nothing is
/// written.
pub(crate) fn save_active(
    path: &Utf8Path,
    connection: &mut Connection,
    credential: &TlsCredential,
    facts: &CertificateFacts,
    origin: CredentialOrigin,
    dek: Option<&Dek>,
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let saving = |error| fault(path, "saving the TLS credential", error);
    let now = stamp(now)?;
    let transaction = connection.transaction().map_err(saving)?;
    let known = find(&transaction, &facts.sha256_fingerprint).map_err(saving)?;
    let id = match known {
        None => {
            let (key, format) = key_to_store(path, &transaction, credential, facts, dek)?;
            insert(
                &transaction,
                credential,
                facts,
                origin,
                (&key, format),
                &now,
            )
            .map_err(saving)?
        }
        Some((id, stored)) => {
            if needs_new_key(path, &transaction, credential, facts, &stored, dek)? {
                let (key, format) = key_to_store(path, &transaction, credential, facts, dek)?;
                replace_key(&transaction, id, &key, format).map_err(saving)?;
                scrub::mark(&transaction).map_err(saving)?;
            }
            replace_certificates(&transaction, id, credential).map_err(saving)?;
            id
        }
    };
    activate(&transaction, id, &now).map_err(saving)?;
    transaction.commit().map_err(saving)?;
    scrub::finish(connection).map_err(saving)
}

fn find(
    transaction: &Transaction<'_>,
    fingerprint: &str,
) -> rusqlite::Result<Option<(i64, StoredKey)>> {
    transaction
        .query_row(
            "SELECT id, private_key, private_key_format FROM credential \
             WHERE sha256_fingerprint = ?1",
            [fingerprint],
            |row| Ok((row.get(0)?, StoredKey::from_row(row, 1, 2)?)),
        )
        .optional()
}

/// A key that is sealed is never stored in the clear again; one that is clear or does not open is
/// replaced by the one in hand, which belongs to the same certificate.
fn needs_new_key(
    path: &Utf8Path,
    connection: &Connection,
    credential: &TlsCredential,
    facts: &CertificateFacts,
    stored: &StoredKey,
    dek: Option<&Dek>,
) -> Result<bool, Fault> {
    Ok(match (stored, dek) {
        (StoredKey::Unusable, _) | (StoredKey::Clear(_), Some(_)) => true,
        (StoredKey::Clear(key), None) => *key != credential.private_key_pem,
        (StoredKey::Sealed(_), None) => false,
        (StoredKey::Sealed(blob), Some(dek)) => {
            let installation = node::installation(path, connection)?;
            let place = Place {
                installation: &installation,
                fingerprint: &facts.sha256_fingerprint,
            };
            !opens(dek, &place, blob)
        }
    })
}

fn key_to_store(
    path: &Utf8Path,
    connection: &Connection,
    credential: &TlsCredential,
    facts: &CertificateFacts,
    dek: Option<&Dek>,
) -> Result<(Zeroizing<Vec<u8>>, &'static str), Fault> {
    let Some(dek) = dek else {
        let clear = credential.private_key_pem.expose().to_vec();
        return Ok((Zeroizing::new(clear), CLEAR));
    };
    let installation = node::installation(path, connection)?;
    let place = Place {
        installation: &installation,
        fingerprint: &facts.sha256_fingerprint,
    };
    let sealed = seal(dek, &place, &credential.private_key_pem)?;
    Ok((Zeroizing::new(sealed), SEALED))
}

fn insert(
    transaction: &Transaction<'_>,
    credential: &TlsCredential,
    facts: &CertificateFacts,
    origin: CredentialOrigin,
    (key, format): (&[u8], &str),
    now: &str,
) -> rusqlite::Result<i64> {
    let time =
        |time| stamp(time).map_err(|fault| rusqlite::Error::ToSqlConversionFailure(fault.into()));
    transaction.execute(
        "INSERT INTO credential (sha256_fingerprint, certificate_pem, chain_pem, private_key, \
         private_key_format, not_before, not_after, created_at, source) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            facts.sha256_fingerprint,
            credential.certificate_pem,
            credential.chain_pem,
            key,
            format,
            time(facts.not_before)?,
            time(facts.not_after)?,
            now,
            origin.name()
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn replace_key(
    transaction: &Transaction<'_>,
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
    transaction: &Transaction<'_>,
    id: i64,
    credential: &TlsCredential,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE credential SET certificate_pem = ?2, chain_pem = ?3 \
             WHERE id = ?1 AND (certificate_pem IS NOT ?2 OR chain_pem IS NOT ?3)",
            params![id, credential.certificate_pem, credential.chain_pem],
        )
        .map(drop)
}

fn activate(transaction: &Transaction<'_>, id: i64, now: &str) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO active_tls_server_credential (id, credential_id, activated_at) \
             VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE \
             SET credential_id = ?1, activated_at = ?2 WHERE credential_id IS NOT ?1",
            params![id, now],
        )
        .map(drop)
}

/// Seals every key that stands in the clear, in one transaction, and rebuilds the file.
pub(crate) fn seal_all(
    path: &Utf8Path,
    connection: &mut Connection,
    dek: &Dek,
) -> Result<usize, Fault> {
    let sealing = |error| fault(path, "sealing the private keys", error);
    let transaction = connection.transaction().map_err(sealing)?;
    let clear = clear_keys(&transaction).map_err(sealing)?;
    if !clear.is_empty() {
        let installation = node::installation(path, &transaction)?;
        for (id, fingerprint, key) in &clear {
            let place = Place {
                installation: &installation,
                fingerprint,
            };
            let sealed = seal(dek, &place, key)?;
            replace_key(&transaction, *id, &sealed, SEALED).map_err(sealing)?;
        }
        scrub::mark(&transaction).map_err(sealing)?;
    }
    transaction.commit().map_err(sealing)?;
    scrub::finish(connection).map_err(sealing)?;
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

fn unreadable(path: &Utf8Path, why: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the active TLS credential in the database {path} cannot be read: {why}"),
        "make a new credential with `tls renew`, or bring the database back with `backup restore`",
    )
}
