//! How the secrets are sealed: the DEK in the one row of `sealing`, a row of `pkcs11_token` for each
//! token that wraps it, and our KEKs on it in `pkcs11_key`.

use domain::{KEK_LABEL, KekId};
use ports::{
    BackupCopy, BackupWrappedDek, Cause, KekCopy, Sealing, StoreError, TokenCopy, WrappedDek,
};
use time::OffsetDateTime;

use crate::shown::quoted;
use crate::sql::{Row, Tables, WrongColumn, required, stamp};

/// The states of a key.
const CURRENT: &str = "current";
const PENDING: &str = "pending";
const RETIRED: &str = "retired";

const READING: &str = "reading how the secrets are sealed";
const STORING: &str = "storing what is known of the token";

/// What a schema knows of: one that is behind is read too, before it is migrated, or in a backup.
struct Known {
    /// A copy of the DEK for each token (the migration 7).
    copies: bool,
    /// Rotations, and since when a backup password is set (the migration 5).
    rotation: bool,
}

impl Known {
    fn by(tables: &Tables<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            copies: tables.has_table("sealing")?,
            rotation: tables.has_column("pkcs11_key", "state")?,
        })
    }

    /// Check value, DEK under the backup password, and since when that is set.
    const fn dek(&self) -> &'static str {
        match self {
            Self { copies: true, .. } => {
                "SELECT dek_check_value, bek_encrypted_dek, bek_set_at FROM sealing WHERE id = 1"
            }
            Self { rotation: true, .. } => {
                "SELECT dek_check_value, bek_encrypted_dek, bek_set_at FROM pkcs11_token \
                 WHERE id = 1"
            }
            Self { .. } => {
                "SELECT dek_check_value, bek_encrypted_dek, NULL FROM pkcs11_token WHERE id = 1"
            }
        }
    }

    const fn tokens(&self) -> &'static str {
        if self.copies {
            "SELECT id, label, serial, module_path, encrypted_dek, wrapped_at FROM pkcs11_token \
             ORDER BY id"
        } else {
            "SELECT id, label, serial, module_path, encrypted_dek, NULL FROM pkcs11_token \
             WHERE id = 1"
        }
    }

    const fn keys(&self) -> &'static str {
        if self.rotation {
            "SELECT token_id, state, key_id FROM pkcs11_key ORDER BY id"
        } else {
            "SELECT token_id, NULL, key_id FROM pkcs11_key ORDER BY id"
        }
    }
}

/// The statements that [`read`] asks.
pub(crate) fn statements(tables: &Tables<'_>) -> Result<[&'static str; 3], StoreError> {
    let known = Known::by(tables)?;
    Ok([known.dek(), known.tokens(), known.keys()])
}

/// All that is known of the DEK and of its copies.
pub(crate) fn read(tables: &Tables<'_>) -> Result<Sealing, StoreError> {
    let known = Known::by(tables)?;
    let dek = tables.first(READING, known.dek(), &[], |row| {
        Ok((row.bytes(0)?, backup_copy(row)?))
    })?;
    let (check_value, backup) = dek.unwrap_or_default();
    let mut sealing = Sealing {
        check_value,
        backup,
        copies: Vec::new(),
    };
    let found = tables.query(READING, known.tokens(), &[], |row| {
        Ok((required(0, row.number(0)?)?, token(row)?))
    })?;
    let keys = tables.query(READING, known.keys(), &[], |row| {
        Ok((row.number(0)?, row.text(1)?, row.bytes(2)?))
    })?;
    for (id, mut copy) in found {
        if sealing.copy_of(&copy.serial).is_some() {
            let what = format!(
                "two rows of table pkcs11_token have the serial number {}",
                quoted(&copy.serial)
            );
            return Err(tables.wrong_row(&what, None));
        }
        for (_, state, key) in keys.iter().filter(|(of, ..)| *of == Some(id)) {
            add_key(tables, &mut copy, state.as_deref(), key.as_deref())?;
        }
        sealing.copies.push(copy);
    }
    Ok(sealing)
}

fn backup_copy(row: &mut Row) -> Result<Option<BackupCopy>, WrongColumn> {
    let set_at = row.time(2)?;
    Ok(row.bytes(1)?.map(|dek| BackupCopy {
        dek: BackupWrappedDek(dek),
        set_at,
    }))
}

fn token(row: &mut Row) -> Result<TokenCopy, WrongColumn> {
    let at = row.time(5)?;
    Ok(TokenCopy {
        label: required(1, row.text(1)?)?,
        serial: required(2, row.text(2)?)?,
        module_path: row.text(3)?.unwrap_or_default(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        wrapped: row.bytes(4)?.map(|dek| KekCopy {
            dek: WrappedDek(dek),
            at,
        }),
    })
}

fn add_key(
    tables: &Tables<'_>,
    copy: &mut TokenCopy,
    state: Option<&str>,
    id: Option<&[u8]>,
) -> Result<(), StoreError> {
    let Some(id) = id else { return Ok(()) };
    let wrong_id = |source: Cause| StoreError::WrongKekId {
        path: tables.name.to_string(),
        source,
    };
    let id = KekId::new(id).map_err(|error| wrong_id(error.into()))?;
    match state {
        None | Some(CURRENT) => copy.kek = Some(id),
        Some(PENDING) => copy.pending_kek = Some(id),
        Some(RETIRED) => copy.retired_keks.push(id),
        Some(other) => {
            let why = format!("{} is no state of a key", quoted(other));
            return Err(wrong_id(why.into()));
        }
    }
    Ok(())
}

/// Stores what is known of one token, and the check value where one is given.
pub(crate) fn save_copy(
    tables: &Tables<'_>,
    copy: &TokenCopy,
    check_value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let known = read(tables)?;
    if check_value.is_some() && known.check_value.as_deref() != check_value {
        let sql = "INSERT INTO sealing (id, dek_check_value) VALUES (1, $1) \
                   ON CONFLICT (id) DO UPDATE SET dek_check_value = $1";
        tables.execute(STORING, sql, &[check_value.into()])?;
    }
    if known.copy_of(&copy.serial) == Some(copy) {
        return Ok(());
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    let token = put_copy(tables, copy, &now)?;
    put_keys(tables, token, copy, &now)
}

/// Stores the first copy of a new DEK, and removes all that is known of another.
pub(crate) fn replace_dek(
    tables: &Tables<'_>,
    copy: &TokenCopy,
    check_value: &[u8],
) -> Result<(), StoreError> {
    let removing = "removing the copies of another DEK";
    let others = "DELETE FROM pkcs11_token WHERE serial IS DISTINCT FROM $1";
    tables.execute(removing, others, &[(&copy.serial).into()])?;
    tables.execute(removing, "DELETE FROM sealing", &[])?;
    save_copy(tables, copy, Some(check_value))
}

/// Stores the DEK under a backup password.
pub(crate) fn save_backup_copy(tables: &Tables<'_>, copy: &BackupCopy) -> Result<(), StoreError> {
    let set_at = copy.set_at.map(stamp).transpose()?;
    tables.execute(
        "storing the DEK under the backup password",
        "INSERT INTO sealing (id, bek_encrypted_dek, bek_set_at) VALUES (1, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET bek_encrypted_dek = $1, bek_set_at = $2",
        &[copy.dek.0.as_slice().into(), set_at.into()],
    )
}

/// Removes a token with its keys; `false` where none has the serial number.
pub(crate) fn forget_copy(tables: &Tables<'_>, serial: &str) -> Result<bool, StoreError> {
    let doing = "removing what is known of the token";
    let sql = "DELETE FROM pkcs11_token WHERE serial = $1 RETURNING id";
    tables.changes(doing, sql, &[serial.into()])
}

/// Stores the row of the token, and gives its number.
fn put_copy(tables: &Tables<'_>, copy: &TokenCopy, now: &str) -> Result<i64, StoreError> {
    let wrapped = copy.wrapped.as_ref();
    let at = wrapped.and_then(|wrapped| wrapped.at).map(stamp);
    let params = [
        (&copy.serial).into(),
        (&copy.label).into(),
        (&copy.module_path).into(),
        wrapped.map(|wrapped| wrapped.dek.0.as_slice()).into(),
        at.transpose()?.into(),
        now.into(),
    ];
    let update = "UPDATE pkcs11_token SET label = $2, module_path = $3, encrypted_dek = $4, \
                  wrapped_at = $5, last_updated = $6 WHERE serial = $1 RETURNING id";
    let insert = "INSERT INTO pkcs11_token (serial, label, module_path, encrypted_dek, \
                  wrapped_at, created_at, last_updated) VALUES ($1, $2, $3, $4, $5, $6, $6) \
                  RETURNING id";
    let id = |row: &mut Row| required(0, row.number(0)?);
    if let Some(known) = tables.first(STORING, update, &params, id)? {
        return Ok(known);
    }
    let made = tables.first(STORING, insert, &params, id)?;
    made.ok_or_else(|| tables.wrong_row("a new row of table pkcs11_token has no number", None))
}

/// Brings the rows of the keys to what they should be; one that is right is left as it is, with the
/// time at which its key was made.
fn put_keys(
    tables: &Tables<'_>,
    token: i64,
    copy: &TokenCopy,
    now: &str,
) -> Result<(), StoreError> {
    let retired = copy.retired_keks.iter().map(|kek| (RETIRED, kek));
    let current = copy.kek.iter().map(|kek| (CURRENT, kek));
    let pending = copy.pending_kek.iter().map(|kek| (PENDING, kek));
    let mut left: Vec<(&str, &KekId)> = retired.chain(current).chain(pending).collect();
    for (row, id) in stored_keys(tables, token)? {
        match left
            .iter()
            .position(|(_, kek)| Some(kek.as_bytes()) == id.as_deref())
        {
            Some(place) => {
                let (state, _) = left.remove(place);
                tables.execute(
                    STORING,
                    "UPDATE pkcs11_key SET label = $2, state = $3 WHERE id = $1 \
                     AND (label IS DISTINCT FROM $2 OR state IS DISTINCT FROM $3)",
                    &[row.into(), KEK_LABEL.into(), state.into()],
                )?;
            }
            None => {
                let sql = "DELETE FROM pkcs11_key WHERE id = $1";
                tables.execute(STORING, sql, &[row.into()])?;
            }
        }
    }
    for (state, kek) in left {
        tables.execute(
            STORING,
            "INSERT INTO pkcs11_key (token_id, label, key_id, state, created_at) \
             VALUES ($1, $2, $3, $4, $5)",
            &[
                token.into(),
                KEK_LABEL.into(),
                kek.as_bytes().into(),
                state.into(),
                now.into(),
            ],
        )?;
    }
    Ok(())
}

/// The number of a row, and the key id in it; `None` where that is no bytes.
type StoredKey = (i64, Option<Vec<u8>>);

/// The rows of the keys.
fn stored_keys(tables: &Tables<'_>, token: i64) -> Result<Vec<StoredKey>, StoreError> {
    let sql = "SELECT id, key_id FROM pkcs11_key WHERE token_id = $1 ORDER BY id";
    tables.query(STORING, sql, &[token.into()], |row| {
        Ok((required(0, row.number(0)?)?, row.bytes(1).ok().flatten()))
    })
}
