//! TLS server credentials: one row each, one of them active.

use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, CredentialWithKey, Dek, FaultKind,
    NewCredential, SealedKey, Secret, StoreError, StoredCredential, StoredKey, in_full,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::installation;
use crate::key_sealing::{opens, seal};
use crate::sql::{Row, Tables, WrongColumn, required, stamp};

const CLEAR: &str = "pkcs8_pem";
const SEALED: &str = "sealed_v1";

const SAVING: &str = "saving the TLS credential";
const SEALING: &str = "sealing the private keys";

/// The columns of [`CredentialRow`], of those of the active one. A row with NULL in every column is
/// one whose credential is gone.
const ACTIVE: &str = "SELECT c.sha256_fingerprint, c.certificate_pem, c.chain_pem, c.private_key, \
     c.private_key_format, c.source, c.id FROM active_tls_server_credential a \
     LEFT JOIN credential c ON c.id = a.credential_id WHERE a.id = 1";
const BY_FINGERPRINT: &str = "SELECT sha256_fingerprint, certificate_pem, chain_pem, private_key, \
     private_key_format, source, id FROM credential WHERE sha256_fingerprint = $1";

/// A private key as it stands in its row.
enum KeyColumn {
    Clear(Secret),
    Sealed(Vec<u8>),
    /// NULL, empty, or of no format this program knows.
    Unusable,
}

impl KeyColumn {
    /// From the columns `private_key` and `private_key_format`.
    fn of(row: &mut Row, key: usize, format: usize) -> Result<Self, WrongColumn> {
        let format = row.text(format)?;
        let key = row.bytes(key)?.filter(|key| !key.is_empty());
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

/// A credential without what its key is bound to.
struct CredentialRow {
    id: i64,
    fingerprint: String,
    certificate_pem: String,
    chain_pem: Option<String>,
    key: KeyColumn,
    origin: CredentialOrigin,
}

impl CredentialRow {
    fn of(row: &mut Row) -> Result<Self, WrongColumn> {
        Ok(Self {
            id: required(6, row.number(6)?)?,
            fingerprint: required(0, row.text(0)?)?,
            certificate_pem: required(1, row.long_text(1)?)?,
            chain_pem: row.long_text(2)?,
            key: KeyColumn::of(row, 3, 4)?,
            origin: origin(row, 5)?,
        })
    }

    fn with_key(self, tables: &Tables<'_>) -> Result<CredentialWithKey, StoreError> {
        Ok(CredentialWithKey {
            key: match self.key {
                KeyColumn::Clear(key) => StoredKey::Clear(key),
                KeyColumn::Sealed(blob) => StoredKey::Sealed(SealedKey {
                    blob,
                    installation: installation::id(tables)?,
                    fingerprint: self.fingerprint.clone(),
                }),
                KeyColumn::Unusable => StoredKey::Missing,
            },
            sha256_fingerprint: self.fingerprint,
            certificate_pem: self.certificate_pem,
            chain_pem: self.chain_pem,
            origin: self.origin,
        })
    }
}

/// The statement that [`active`] asks, where there are credentials yet.
pub(crate) fn active_statement(tables: &Tables<'_>) -> Result<Option<&'static str>, StoreError> {
    let is_there = tables.has_table("active_tls_server_credential")?;
    Ok(is_there.then_some(ACTIVE))
}

/// The active credential. What a person may have broken in its rows does not keep the node from
/// being read.
pub(crate) fn active(tables: &Tables<'_>) -> Result<ActiveCredential, StoreError> {
    read_active(tables).or_else(|error| match error.kind() {
        FaultKind::DataCorrupt => Ok(ActiveCredential::Unreadable(in_full(&error))),
        _ => Err(error),
    })
}

fn read_active(tables: &Tables<'_>) -> Result<ActiveCredential, StoreError> {
    let Some(statement) = active_statement(tables)? else {
        return Ok(ActiveCredential::None);
    };
    let doing = "reading the active TLS credential";
    let row = tables.first(doing, statement, &[], |row| match row.number(6)? {
        None => Ok(None),
        Some(_) => CredentialRow::of(row).map(Some),
    })?;
    Ok(match row {
        None => ActiveCredential::None,
        Some(None) => {
            ActiveCredential::Unreadable("the row that is marked active does not exist".to_owned())
        }
        Some(Some(row)) => ActiveCredential::Stored(Box::new(row.with_key(tables)?)),
    })
}

/// The credential with this fingerprint, active or not.
pub(crate) fn find(
    tables: &Tables<'_>,
    fingerprint: &str,
) -> Result<Option<CredentialWithKey>, StoreError> {
    let doing = "reading a TLS credential";
    known(tables, doing, fingerprint)?
        .map(|row| row.with_key(tables))
        .transpose()
}

fn known(
    tables: &Tables<'_>,
    doing: &'static str,
    fingerprint: &str,
) -> Result<Option<CredentialRow>, StoreError> {
    tables.first(
        doing,
        BY_FINGERPRINT,
        &[fingerprint.into()],
        CredentialRow::of,
    )
}

/// All of them, the newest first, for people.
pub(crate) fn list(tables: &Tables<'_>) -> Result<Vec<StoredCredential>, StoreError> {
    let sql = "SELECT c.sha256_fingerprint, c.not_before, c.not_after, c.source, \
               c.private_key_format, c.created_at, a.id FROM credential c \
               LEFT JOIN active_tls_server_credential a \
               ON a.credential_id = c.id AND a.id = 1 ORDER BY c.id DESC";
    tables.query("listing the TLS credentials", sql, &[], |row| {
        Ok(StoredCredential {
            facts: CertificateFacts {
                sha256_fingerprint: required(0, row.text(0)?)?,
                not_before: required(1, row.time(1)?)?,
                not_after: required(2, row.time(2)?)?,
            },
            origin: origin(row, 3)?,
            is_sealed: row.text(4)?.as_deref() == Some(SEALED),
            stored_at: row.time(5)?,
            is_active: row.number(6)?.is_some(),
        })
    })
}

/// Rows from before the column was filled were all made by this program.
fn origin(row: &Row, column: usize) -> Result<CredentialOrigin, WrongColumn> {
    let origin = row.text(column)?;
    Ok(CredentialOrigin::ALL
        .into_iter()
        .find(|known| origin.as_deref() == Some(known.name()))
        .unwrap_or(CredentialOrigin::Generated))
}

/// Saves and activates; whether anything was written: where all of it stands there already, nothing
/// is.
pub(crate) fn save_active(
    tables: &Tables<'_>,
    new: &NewCredential<'_>,
    dek: Option<&Dek>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let now = stamp(now)?;
    let mut is_changed = true;
    let id = match known(tables, SAVING, &new.facts.sha256_fingerprint)? {
        None => {
            let (key, format) = key_to_store(tables, new, dek)?;
            insert(tables, new, (&key, format), &now)?
        }
        Some(CredentialRow { id, key, .. }) => {
            let needs_key = needs_new_key(tables, new, key, dek)?;
            if needs_key {
                let (key, format) = key_to_store(tables, new, dek)?;
                replace_key(tables, SAVING, id, (&key, format))?;
                tables.mark_scrub()?;
            }
            is_changed = replace_certificates(tables, id, new)? || needs_key;
            id
        }
    };
    Ok(activate(tables, id, &now)? || is_changed)
}

/// A key that is sealed is never stored in the clear again; one that is clear or does not open is
/// replaced by the one in hand, which belongs to the same certificate.
fn needs_new_key(
    tables: &Tables<'_>,
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
                installation: installation::id(tables)?,
                fingerprint: new.facts.sha256_fingerprint.clone(),
            },
        ),
    })
}

fn key_to_store(
    tables: &Tables<'_>,
    new: &NewCredential<'_>,
    dek: Option<&Dek>,
) -> Result<(Zeroizing<Vec<u8>>, &'static str), StoreError> {
    let key = &new.credential.private_key_pem;
    Ok(match dek {
        None => (Zeroizing::new(key.expose().to_vec()), CLEAR),
        Some(dek) => {
            let fingerprint = &new.facts.sha256_fingerprint;
            let sealed = seal(dek, &installation::id(tables)?, fingerprint, key)?;
            (Zeroizing::new(sealed), SEALED)
        }
    })
}

fn insert(
    tables: &Tables<'_>,
    new: &NewCredential<'_>,
    (key, format): (&[u8], &str),
    now: &str,
) -> Result<i64, StoreError> {
    let CertificateFacts {
        sha256_fingerprint,
        not_before,
        not_after,
    } = new.facts;
    let id = tables.first(
        SAVING,
        "INSERT INTO credential (sha256_fingerprint, certificate_pem, chain_pem, private_key, \
         private_key_format, not_before, not_after, created_at, source) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        &[
            sha256_fingerprint.into(),
            (&new.credential.certificate_pem).into(),
            new.credential.chain_pem.as_ref().into(),
            key.into(),
            format.into(),
            stamp(*not_before)?.into(),
            stamp(*not_after)?.into(),
            now.into(),
            new.origin.name().into(),
        ],
        |row| required(0, row.number(0)?),
    )?;
    id.ok_or_else(|| tables.wrong_row("a new row of table credential has no number", None))
}

fn replace_key(
    tables: &Tables<'_>,
    doing: &'static str,
    id: i64,
    (key, format): (&[u8], &str),
) -> Result<(), StoreError> {
    let sql = "UPDATE credential SET private_key = $2, private_key_format = $3 WHERE id = $1";
    tables.execute(doing, sql, &[id.into(), key.into(), format.into()])
}

/// The same certificate may come again with a chain that was put right, or because what stands
/// here was damaged.
fn replace_certificates(
    tables: &Tables<'_>,
    id: i64,
    new: &NewCredential<'_>,
) -> Result<bool, StoreError> {
    tables.changes(
        SAVING,
        "UPDATE credential SET certificate_pem = $2, chain_pem = $3 WHERE id = $1 \
         AND (certificate_pem IS DISTINCT FROM $2 OR chain_pem IS DISTINCT FROM $3) RETURNING id",
        &[
            id.into(),
            (&new.credential.certificate_pem).into(),
            new.credential.chain_pem.as_ref().into(),
        ],
    )
}

fn activate(tables: &Tables<'_>, id: i64, now: &str) -> Result<bool, StoreError> {
    tables.changes(
        SAVING,
        "INSERT INTO active_tls_server_credential AS a (id, credential_id, activated_at) \
         VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET credential_id = $1, activated_at = $2 \
         WHERE a.credential_id IS DISTINCT FROM $1 RETURNING id",
        &[id.into(), now.into()],
    )
}

/// Seals every key that stands in the clear. Returns how many.
pub(crate) fn seal_all(tables: &Tables<'_>, dek: &Dek) -> Result<usize, StoreError> {
    let clear = tables.query(
        SEALING,
        "SELECT id, sha256_fingerprint, private_key FROM credential \
         WHERE private_key_format = $1 AND length(private_key) > 0",
        &[CLEAR.into()],
        |row| {
            let key = Secret::new(required(2, row.bytes(2)?)?);
            Ok((
                required(0, row.number(0)?)?,
                required(1, row.text(1)?)?,
                key,
            ))
        },
    )?;
    if clear.is_empty() {
        return Ok(0);
    }
    let installation = installation::id(tables)?;
    for (id, fingerprint, key) in &clear {
        let sealed = seal(dek, &installation, fingerprint, key)?;
        replace_key(tables, SEALING, *id, (&sealed, SEALED))?;
    }
    tables.mark_scrub()?;
    Ok(clear.len())
}
