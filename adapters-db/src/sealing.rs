//! How the secrets are sealed: the DEK in the one row of `sealing`, a row of `pkcs11_token` for each
//! token that wraps it, and our KEKs on it in `pkcs11_key`.

use domain::{KEK_LABEL, KekId};
use ports::{
    BackupCopy, BackupWrappedDek, Cause, KekCopy, Sealing, StoreError, TokenCopy, WrappedDek,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use time::OffsetDateTime;

use crate::columns::{bytes, has_table, required, stamp, text, time as time_column};
use crate::db::Db;
use crate::shown::quoted;

/// The states of a key.
const CURRENT: &str = "current";
const PENDING: &str = "pending";
const RETIRED: &str = "retired";

/// What a schema knows of: one that is behind is read too, before it is migrated, or in a backup.
struct Known {
    /// A copy of the DEK for each token (the migration 7).
    copies: bool,
    /// Rotations, and since when a backup password is set (the migration 5).
    rotation: bool,
}

impl Known {
    fn by(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            copies: has_table(connection, "sealing")?,
            rotation: connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM pragma_table_info('pkcs11_key') \
                 WHERE name = 'state')",
                [],
                |row| row.get(0),
            )?,
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
            "SELECT state, key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id"
        } else {
            "SELECT NULL, key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id"
        }
    }
}

/// All that is known of the DEK and of its copies.
pub(crate) fn read(db: &Db<'_>) -> Result<Sealing, StoreError> {
    let reading = db.failed("reading how the secrets are sealed");
    let known = Known::by(db).map_err(&reading)?;
    let dek = db.query_row(known.dek(), [], |row| {
        Ok((bytes(row, 0)?, backup_copy(row)?))
    });
    let (check_value, backup) = dek.optional().map_err(&reading)?.unwrap_or_default();
    let mut sealing = Sealing {
        check_value,
        backup,
        copies: Vec::new(),
    };
    for (row, mut copy) in tokens(db, &known).map_err(&reading)? {
        if sealing.copy_of(&copy.serial).is_some() {
            let what = format!(
                "two rows of table pkcs11_token have the serial number {}",
                quoted(&copy.serial)
            );
            return Err(db.wrong_row(&what, None));
        }
        for (state, id) in keys(db, &known, row).map_err(&reading)? {
            add_key(db, &mut copy, state.as_deref(), id)?;
        }
        sealing.copies.push(copy);
    }
    Ok(sealing)
}

fn backup_copy(row: &Row<'_>) -> rusqlite::Result<Option<BackupCopy>> {
    let set_at = time_column(row, 2)?;
    Ok(bytes(row, 1)?.map(|dek| BackupCopy {
        dek: BackupWrappedDek(dek),
        set_at,
    }))
}

fn tokens(connection: &Connection, known: &Known) -> rusqlite::Result<Vec<(i64, TokenCopy)>> {
    connection
        .prepare(known.tokens())?
        .query_map([], |row| Ok((row.get(0)?, token(row)?)))?
        .collect()
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenCopy> {
    let at = time_column(row, 5)?;
    Ok(TokenCopy {
        label: required(1, text(row, 1)?)?,
        serial: required(2, text(row, 2)?)?,
        module_path: text(row, 3)?.unwrap_or_default(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        wrapped: bytes(row, 4)?.map(|dek| KekCopy {
            dek: WrappedDek(dek),
            at,
        }),
    })
}

type Key = (Option<String>, Option<Vec<u8>>);

fn keys(connection: &Connection, known: &Known, token: i64) -> rusqlite::Result<Vec<Key>> {
    connection
        .prepare(known.keys())?
        .query_map([token], |row| Ok((text(row, 0)?, bytes(row, 1)?)))?
        .collect()
}

fn add_key(
    db: &Db<'_>,
    copy: &mut TokenCopy,
    state: Option<&str>,
    id: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    let Some(id) = id else { return Ok(()) };
    let wrong_id = |source: Cause| StoreError::WrongKekId {
        path: db.path.to_string(),
        source,
    };
    let id = KekId::new(&id).map_err(|error| wrong_id(error.into()))?;
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
    db: &Db<'_>,
    copy: &TokenCopy,
    check_value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let known = read(db)?;
    let storing = db.failed("storing what is known of the token");
    if check_value.is_some() && known.check_value.as_deref() != check_value {
        put_check_value(db, check_value).map_err(&storing)?;
    }
    if known.copy_of(&copy.serial) == Some(copy) {
        return Ok(());
    }
    let now = stamp(OffsetDateTime::now_utc())?;
    let at = copy.wrapped.as_ref().and_then(|wrapped| wrapped.at);
    let at = at.map(stamp).transpose()?;
    put_copy(db, copy, at, &now).map_err(storing)
}

/// Stores the first copy of a new DEK, and removes all that is known of another.
pub(crate) fn replace_dek(
    db: &Db<'_>,
    copy: &TokenCopy,
    check_value: &[u8],
) -> Result<(), StoreError> {
    let removing = db.failed("removing the copies of another DEK");
    db.execute(
        "DELETE FROM pkcs11_token WHERE serial IS NOT ?1",
        [&copy.serial],
    )
    .map_err(&removing)?;
    db.execute("DELETE FROM sealing", []).map_err(removing)?;
    save_copy(db, copy, Some(check_value))
}

/// Stores the DEK under a backup password.
pub(crate) fn save_backup_copy(db: &Db<'_>, copy: &BackupCopy) -> Result<(), StoreError> {
    let set_at = copy.set_at.map(stamp).transpose()?;
    db.execute(
        "INSERT INTO sealing (id, bek_encrypted_dek, bek_set_at) VALUES (1, ?1, ?2) \
         ON CONFLICT (id) DO UPDATE SET bek_encrypted_dek = ?1, bek_set_at = ?2",
        params![copy.dek.0, set_at],
    )
    .map(drop)
    .map_err(db.failed("storing the DEK under the backup password"))
}

/// Removes a token with its keys; `false` where none has the serial number.
pub(crate) fn forget_copy(db: &Db<'_>, serial: &str) -> Result<bool, StoreError> {
    let removed = db.execute("DELETE FROM pkcs11_token WHERE serial = ?1", [serial]);
    Ok(removed.map_err(db.failed("removing what is known of the token"))? > 0)
}

fn put_check_value(
    transaction: &Connection,
    check_value: Option<&[u8]>,
) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT INTO sealing (id, dek_check_value) VALUES (1, ?1) \
         ON CONFLICT (id) DO UPDATE SET dek_check_value = ?1",
        [check_value],
    )
}

fn put_copy(
    transaction: &Connection,
    copy: &TokenCopy,
    wrapped_at: Option<String>,
    now: &str,
) -> rusqlite::Result<()> {
    let known = transaction
        .query_row(
            "SELECT id FROM pkcs11_token WHERE serial = ?1",
            [&copy.serial],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let wrapped = copy.wrapped.as_ref().map(|wrapped| &wrapped.dek.0);
    // A new row has the next number.
    transaction.execute(
        "INSERT INTO pkcs11_token (id, label, serial, module_path, encrypted_dek, wrapped_at, \
         created_at, last_updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) \
         ON CONFLICT (id) DO UPDATE SET label = ?2, module_path = ?4, encrypted_dek = ?5, \
         wrapped_at = ?6, last_updated = ?7",
        params![
            known,
            copy.label,
            copy.serial,
            copy.module_path,
            wrapped,
            wrapped_at,
            now,
        ],
    )?;
    let token = known.unwrap_or_else(|| transaction.last_insert_rowid());
    put_keys(transaction, token, copy, now)
}

/// Brings the rows of the keys to what they should be; one that is right is left as it is, with the
/// time at which its key was made.
fn put_keys(
    transaction: &Connection,
    token: i64,
    copy: &TokenCopy,
    now: &str,
) -> rusqlite::Result<()> {
    let retired = copy.retired_keks.iter().map(|kek| (RETIRED, kek));
    let current = copy.kek.iter().map(|kek| (CURRENT, kek));
    let pending = copy.pending_kek.iter().map(|kek| (PENDING, kek));
    let mut left: Vec<(&str, &KekId)> = retired.chain(current).chain(pending).collect();
    for (row, id) in stored_keys(transaction, token)? {
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
            params![token, KEK_LABEL, kek.as_bytes(), state, now],
        )?;
    }
    Ok(())
}

/// The rows of the keys with their key ids; `None` for one that is no bytes.
fn stored_keys(
    transaction: &Connection,
    token: i64,
) -> rusqlite::Result<Vec<(i64, Option<Vec<u8>>)>> {
    transaction
        .prepare("SELECT id, key_id FROM pkcs11_key WHERE token_id = ?1 ORDER BY id")?
        .query_map([token], |row| {
            Ok((row.get(0)?, bytes(row, 1).ok().flatten()))
        })?
        .collect()
}
