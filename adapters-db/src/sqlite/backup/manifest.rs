//! The manifest: lines of names and values after the last page of the database, where SQLite looks
//! at nothing.
//!
//! It begins with [`HEAD`] and ends with the SHA-256 of every byte before that digest. In the
//! format 1, which is still read, it was a table in the database.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use data_encoding::HEXLOWER;
use domain::{InstallationId, KekId};
use ports::{
    BackupError, BackupManifest, BackupOrigin, Cause, NodeRecord, ResultExt as _, StoreError,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::digest::{self, Digest};
use crate::schema::HISTORY_TABLE;
use crate::sql::{Tables, required, stamp};
use crate::sqlite::db::Db;
use crate::sqlite::draft::Draft;

/// The format that this program writes.
const FORMAT: u32 = 2;
/// The format whose manifest is a table.
const FORMAT_OF_TABLE: u32 = 1;
const TABLE: &str = "backup_manifest";
const HEAD: &str = "\nTrustpoint backup manifest\n";
const DIGEST: &str = "sha256: ";
/// The KEKs of every token. A program that knew one token alone wrote and reads `kek_id`.
const KEKS: &str = "kek_ids";
/// Far more than a manifest has.
const LONGEST: u64 = 64 << 10;

/// The manifest of a database, but for the digest.
pub(super) fn lines(
    db: &Db<'_>,
    record: &NodeRecord,
    origin: &BackupOrigin,
) -> Result<String, StoreError> {
    let schema = newest_migration(&db.tables())?;
    let optional = |text: Option<String>| text.unwrap_or_default();
    let keks = record.sealing.keks();
    let keks: Vec<String> = keks.iter().map(ToString::to_string).collect();
    let check_value = record.sealing.check_value.as_ref();
    let lines = [
        ("format", FORMAT.to_string()),
        ("application_version", origin.application_version.clone()),
        ("schema", schema),
        ("created_at", stamp(origin.at)?),
        (
            "installation_id",
            optional(record.installation.as_ref().map(ToString::to_string)),
        ),
        (
            "storage",
            optional(record.storage.map(|storage| storage.to_string())),
        ),
        ("kek_id", optional(keks.first().cloned())),
        (KEKS, keks.join(" ")),
        (
            "dek_check_value",
            optional(check_value.map(|value| HEXLOWER.encode(value))),
        ),
        (
            "backup_password_set",
            yes_no(record.sealing.backup.is_some()),
        ),
        (
            "setup_completed",
            yes_no(origin.setup_completed || record.setup_completed_at.is_some()),
        ),
    ]
    .map(|(name, value)| format!("{name}: {}\n", value.replace('\n', " ")));
    Ok(format!("{HEAD}{}{DIGEST}", lines.concat()))
}

/// Puts the manifest after the `size` bytes of the database, of which a digest may be taken already.
/// It is taken of what is read back, and so is what is returned.
pub(super) fn append(
    draft: &Draft,
    size: u64,
    lines: &str,
    mut digest: Digest,
) -> Result<BackupManifest, BackupError> {
    let file = draft.file();
    let what = || {
        format!(
            "writing the manifest of the backup to {}",
            draft.directory()
        )
    };
    file.write_all_at(lines.as_bytes(), size).or_io(what)?;
    let end = size + lines.len() as u64;
    digest.advance(file, end).or_io(what)?;
    let sha256 = digest.finish();
    file.write_all_at(format!("{sha256}\n").as_bytes(), end)
        .or_io(what)?;
    let (manifest, _) = read_after(file, size)?;
    if manifest.sha256 == sha256 {
        return Ok(manifest);
    }
    Err(BackupError::ManifestDiffers)
}

/// The manifest after the `size` bytes of the database, and how many bytes its digest is of.
pub(super) fn read_after(file: &File, size: u64) -> Result<(BackupManifest, u64), BackupError> {
    let what = || "reading the manifest";
    let length = file.metadata().or_io(what)?.len();
    let after = length.saturating_sub(size);
    let no_manifest = |source: Option<Cause>| BackupError::Wrong {
        why: format!("it has {length} bytes and should have {size}, and no manifest is after them"),
        source,
    };
    if after > LONGEST {
        return Err(no_manifest(None));
    }
    let mut bytes = vec![0; usize::try_from(after).unwrap_or_default()];
    file.read_exact_at(&mut bytes, size).or_io(what)?;
    let text = String::from_utf8(bytes).map_err(|error| no_manifest(Some(error.into())))?;
    let body = text
        .strip_prefix(HEAD)
        .and_then(|body| body.strip_suffix('\n'))
        .ok_or_else(|| no_manifest(None))?;
    let mut values = BTreeMap::new();
    for line in body.split('\n') {
        let (name, value) = line.split_once(": ").ok_or_else(|| no_manifest(None))?;
        values.insert(name.to_owned(), value.to_owned());
    }
    let ends_with_digest = body
        .rsplit('\n')
        .next()
        .and_then(|line| line.strip_prefix(DIGEST))
        .is_some_and(|digest| digest.len() == digest::LENGTH);
    if !ends_with_digest {
        return Err(no_manifest(None));
    }
    let digested = length - digest::LENGTH as u64 - 1;
    Ok((Values(values).parse(FORMAT)?, digested))
}

/// The manifest of a backup of the format 1; `None` in a database that has none.
pub(super) fn read_table(backup: &Db<'_>) -> Result<Option<BackupManifest>, BackupError> {
    let tables = backup.tables();
    if !tables.has_column(TABLE, "name")? {
        return Ok(None);
    }
    let sql = format!("SELECT name, value FROM {TABLE}");
    let values = tables.query("reading the manifest", &sql, &[], |row| {
        Ok((required(0, row.text(0)?)?, required(1, row.text(1)?)?))
    })?;
    let values = values.into_iter().collect();
    Values(values).parse(FORMAT_OF_TABLE).map(Some)
}

/// Takes the manifest of the format 1 out of a database that goes back to work.
pub(super) fn remove_table(staged: &Db<'_>) -> Result<(), StoreError> {
    staged
        .execute_batch(&format!("DROP TABLE IF EXISTS {TABLE}"))
        .map_err(staged.failed("removing the manifest"))
}

/// The name of the migration that was applied last.
pub(super) fn newest_migration(tables: &Tables<'_>) -> Result<String, StoreError> {
    let sql = format!(
        "SELECT 'V' || version || '__' || name FROM {HISTORY_TABLE} \
         ORDER BY CAST(version AS INTEGER) DESC LIMIT 1"
    );
    let newest = tables.first("reading the migration history", &sql, &[], |row| {
        required(0, row.text(0)?)
    })?;
    newest.ok_or_else(|| tables.wrong_row("the migration history is empty", None))
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

struct Values(BTreeMap<String, String>);

impl Values {
    /// A manifest of this format.
    fn parse(&self, expected: u32) -> Result<BackupManifest, BackupError> {
        let format = self
            .get("format")?
            .parse()
            .map_err(|_| wrong("format", None))?;
        if format > FORMAT {
            return Err(BackupError::NewerFormat {
                format,
                known: FORMAT,
            });
        }
        if format != expected {
            return Err(wrong("format", None));
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
                .map_err(|error| wrong("created_at", Some(error.into())))?,
            installation: optional("installation_id")?
                .map(InstallationId::parse)
                .transpose()
                .map_err(|error| wrong("installation_id", Some(error.into())))?,
            storage: optional("storage")?
                .map(str::parse)
                .transpose()
                .map_err(|()| wrong("storage", None))?,
            keks: self.keks()?,
            dek_check_value: optional("dek_check_value")?
                .map(|text| bytes("dek_check_value", text))
                .transpose()?,
            backup_password_set: self.get("backup_password_set")? == "yes",
            setup_completed: self.get("setup_completed")? == "yes",
        })
    }

    /// Those of every token; of an older program the one that it knew.
    fn keks(&self) -> Result<Vec<KekId>, BackupError> {
        let text = match self.0.get(KEKS) {
            Some(text) => text,
            None => self.get("kek_id")?,
        };
        text.split_whitespace().map(kek).collect()
    }

    fn get(&self, name: &str) -> Result<&str, BackupError> {
        self.0
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| wrong(name, None))
    }
}

fn kek(text: &str) -> Result<KekId, BackupError> {
    KekId::new(&bytes("kek_id", text)?).map_err(|error| wrong("kek_id", Some(error.into())))
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>, BackupError> {
    HEXLOWER
        .decode(text.as_bytes())
        .map_err(|error| wrong(name, Some(error.into())))
}

fn wrong(name: &str, source: Option<Cause>) -> BackupError {
    BackupError::Wrong {
        why: format!("`{name}` of its manifest is missing or cannot be right"),
        source,
    }
}
