//! The stored TLS credentials as a list, for people, and by their fingerprint.

use camino::Utf8Path;
use ports::{CertificateFacts, CredentialOrigin, Fault, StoredCredential};
use rusqlite::{Connection, Row};

use crate::columns::{required, text, time};
use crate::credential::SEALED;
use crate::sql_error::fault;

/// All of them, the newest first.
pub(crate) fn list(
    path: &Utf8Path,
    connection: &Connection,
) -> Result<Vec<StoredCredential>, Fault> {
    let read = || -> rusqlite::Result<Vec<StoredCredential>> {
        connection
            .prepare(
                "SELECT c.sha256_fingerprint, c.not_before, c.not_after, c.source, \
                 c.private_key_format, c.created_at, a.id IS NOT NULL FROM credential c \
                 LEFT JOIN active_tls_server_credential a \
                 ON a.credential_id = c.id AND a.id = 1 ORDER BY c.id DESC",
            )?
            .query_map([], from_row)?
            .collect()
    };
    read().map_err(|error| fault(path, "listing the TLS credentials", error))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredCredential> {
    let origin = text(row, 3)?;
    Ok(StoredCredential {
        facts: CertificateFacts {
            sha256_fingerprint: required(0, text(row, 0)?)?,
            not_before: required(1, time(row, 1)?)?,
            not_after: required(2, time(row, 2)?)?,
        },
        // Rows from before the column was filled were all made by this program.
        origin: CredentialOrigin::ALL
            .into_iter()
            .find(|known| origin.as_deref() == Some(known.name()))
            .unwrap_or(CredentialOrigin::Generated),
        is_sealed: text(row, 4)?.as_deref() == Some(SEALED),
        stored_at: time(row, 5)?,
        is_active: row.get(6)?,
    })
}
