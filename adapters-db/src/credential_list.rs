//! The stored TLS credentials as a list, for people.

use ports::{CertificateFacts, StoreError, StoredCredential};
use rusqlite::Row;

use crate::columns::{required, text, time};
use crate::credential::{SEALED, origin};
use crate::db::Db;

/// All of them, the newest first.
pub(crate) fn list(db: &Db<'_>) -> Result<Vec<StoredCredential>, StoreError> {
    let read = || -> rusqlite::Result<Vec<StoredCredential>> {
        db.prepare(
            "SELECT c.sha256_fingerprint, c.not_before, c.not_after, c.source, \
                 c.private_key_format, c.created_at, a.id IS NOT NULL FROM credential c \
                 LEFT JOIN active_tls_server_credential a \
                 ON a.credential_id = c.id AND a.id = 1 ORDER BY c.id DESC",
        )?
        .query_map([], from_row)?
        .collect()
    };
    read().map_err(db.failed("listing the TLS credentials"))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredCredential> {
    Ok(StoredCredential {
        facts: CertificateFacts {
            sha256_fingerprint: required(0, text(row, 0)?)?,
            not_before: required(1, time(row, 1)?)?,
            not_after: required(2, time(row, 2)?)?,
        },
        origin: origin(row, 3)?,
        is_sealed: text(row, 4)?.as_deref() == Some(SEALED),
        stored_at: time(row, 5)?,
        is_active: row.get(6)?,
    })
}
