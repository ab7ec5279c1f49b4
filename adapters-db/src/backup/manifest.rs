//! The manifest: a table of names and values in the backup itself.

use std::collections::BTreeMap;

use camino::Utf8Path;
use data_encoding::HEXLOWER;
use domain::{InstallationId, KekId};
use ports::{BackupManifest, BackupOrigin, Fault, FaultKind, NodeRecord};
use rusqlite::{Connection, params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::columns::{required, stamp, text};
use crate::schema::HISTORY_TABLE;
use crate::sql_error::fault;

/// The format that this program writes.
const FORMAT: u32 = 1;
const TABLE: &str = "backup_manifest";

/// Writes the manifest into the copy; the digest is still the placeholder.
pub(super) fn write(
    path: &Utf8Path,
    copy: &mut Connection,
    record: &NodeRecord,
    origin: &BackupOrigin,
    placeholder: &str,
) -> Result<(), Fault> {
    let created_at = stamp(origin.at)?;
    let rows = |schema: String| {
        let token = record.token.as_ref();
        let optional = |text: Option<String>| text.unwrap_or_default();
        let setup_completed = origin.setup_completed || record.setup_completed_at.is_some();
        [
            ("format", FORMAT.to_string()),
            ("application_version", origin.application_version.clone()),
            ("schema", schema),
            ("created_at", created_at.clone()),
            (
                "installation_id",
                optional(record.installation.as_ref().map(ToString::to_string)),
            ),
            (
                "storage",
                optional(record.storage.map(|storage| storage.to_string())),
            ),
            (
                "kek_id",
                optional(token.and_then(|token| token.kek.as_ref().map(ToString::to_string))),
            ),
            (
                "dek_check_value",
                optional(token.and_then(|token| {
                    let value = token.dek_check_value.as_ref();
                    value.map(|value| HEXLOWER.encode(value))
                })),
            ),
            (
                "backup_password_set",
                yes_no(token.is_some_and(|token| token.backup_encrypted_dek.is_some())),
            ),
            ("setup_completed", yes_no(setup_completed)),
            ("sha256", placeholder.to_owned()),
        ]
    };
    let mut put = || -> rusqlite::Result<()> {
        let rows = rows(newest_migration(copy)?);
        let transaction = copy.transaction()?;
        transaction.execute_batch(&format!(
            "DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (name TEXT, value TEXT)"
        ))?;
        for (name, value) in rows {
            transaction.execute(
                &format!("INSERT INTO {TABLE} (name, value) VALUES (?1, ?2)"),
                params![name, value],
            )?;
        }
        transaction.commit()
    };
    put().map_err(|error| fault(path, "writing the manifest", error))
}

/// Whether the database has a manifest, good or bad.
pub(super) fn is_there(backup: &Connection) -> rusqlite::Result<bool> {
    backup.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
        [TABLE],
        |row| row.get(0),
    )
}

/// The manifest; `None` in a database that has none.
pub(super) fn read(path: &Utf8Path, backup: &Connection) -> Result<Option<BackupManifest>, Fault> {
    let reading = |error| fault(path, "reading the manifest", error);
    if !is_there(backup).map_err(reading)? {
        return Ok(None);
    }
    let values: BTreeMap<String, String> = backup
        .prepare(&format!("SELECT name, value FROM {TABLE}"))
        .map_err(reading)?
        .query_map([], |row| {
            Ok((required(0, text(row, 0)?)?, required(1, text(row, 1)?)?))
        })
        .and_then(Iterator::collect)
        .map_err(reading)?;
    Values(values).parse().map(Some)
}

/// Takes the manifest out of a database that goes back to work.
pub(super) fn remove(path: &Utf8Path, staged: &Connection) -> Result<(), Fault> {
    staged
        .execute_batch(&format!("DROP TABLE IF EXISTS {TABLE}"))
        .map_err(|error| fault(path, "removing the manifest", error))
}

fn newest_migration(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row(
        &format!(
            "SELECT 'V' || version || '__' || name FROM {HISTORY_TABLE} \
             ORDER BY CAST(version AS INTEGER) DESC LIMIT 1"
        ),
        [],
        |row| required(0, text(row, 0)?),
    )
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn parse(&self) -> Result<BackupManifest, Fault> {
        let format = self.get("format")?.parse().map_err(|_| wrong("format"))?;
        if format != FORMAT {
            return Err(Fault::new(
                FaultKind::VersionDowngrade,
                format!("its manifest has the format {format}; this program knows {FORMAT}"),
                "use the newer program that made it",
            ));
        }
        let optional = |name: &str| {
            self.get(name)
                .map(|text| (!text.is_empty()).then_some(text))
        };
        Ok(BackupManifest {
            format,
            application_version: self.get("application_version")?.to_owned(),
            schema: self.get("schema")?.to_owned(),
            sha256: self.get("sha256")?.to_owned(),
            created_at: OffsetDateTime::parse(self.get("created_at")?, &Rfc3339)
                .map_err(|error| wrong("created_at").because(error))?,
            installation: optional("installation_id")?
                .map(InstallationId::parse)
                .transpose()
                .map_err(|error| wrong("installation_id").because(error))?,
            storage: optional("storage")?
                .map(str::parse)
                .transpose()
                .map_err(|()| wrong("storage"))?,
            kek: optional("kek_id")?.map(kek).transpose()?,
            dek_check_value: optional("dek_check_value")?
                .map(|text| bytes("dek_check_value", text))
                .transpose()?,
            backup_password_set: self.get("backup_password_set")? == "yes",
            setup_completed: self.get("setup_completed")? == "yes",
        })
    }

    fn get(&self, name: &str) -> Result<&str, Fault> {
        self.0
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| wrong(name))
    }
}

fn kek(text: &str) -> Result<KekId, Fault> {
    KekId::new(&bytes("kek_id", text)?).map_err(|error| wrong("kek_id").because(error))
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>, Fault> {
    HEXLOWER
        .decode(text.as_bytes())
        .map_err(|error| wrong(name).because(error))
}

fn wrong(name: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("`{name}` of its manifest is missing or cannot be right"),
        "use another backup",
    )
}
