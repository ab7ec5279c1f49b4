//! The backup password: what it has to be, and the DEK under it.

use ports::{BackupCopy, Dek, EventKind, Sealing, Secret};

use crate::dek_ways;
use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;

/// How many characters a backup password has at least.
pub const MIN_PASSWORD_CHARS: usize = 12;

/// What whoever goes without one is told in every report.
pub const NONE_IS_SET: &str =
    "no backup password is set: if the token is lost, so is everything that is sealed";

/// [`NONE_IS_SET`], where that is so. What cannot be seen now is no reason for anything else to fail.
#[must_use]
pub fn warning_of_none(node: &Node) -> Option<&'static str> {
    let record = node.store.record.read().ok()??;
    let sealing = &record.sealing;
    (sealing.is_sealed() && sealing.backup.is_none()).then_some(NONE_IS_SET)
}

/// Whether a backup password may be set.
///
/// # Errors
/// [`ports::FaultKind::Usage`] for one that is too short or no text.
pub fn check_password(password: &Secret) -> Result<(), Error> {
    if is_long_enough(password) {
        return Ok(());
    }
    let at_least = MIN_PASSWORD_CHARS;
    Err(Refused::ShortPassword { at_least }.into())
}

/// Whether a password has [`MIN_PASSWORD_CHARS`] characters.
fn is_long_enough(password: &Secret) -> bool {
    let text = password.expose_text();
    text.is_some_and(|text| text.chars().count() >= MIN_PASSWORD_CHARS)
}

/// Wraps the DEK with the password, and stores that.
///
/// # Errors
/// A primitive that fails, the database.
pub fn store(node: &Node, dek: &Dek, password: &Secret) -> Result<(), Error> {
    let copy = BackupCopy {
        dek: node.secrets.crypto.wrap_with_password(dek, password)?,
        set_at: Some(node.host.clock.now()),
    };
    let event = node.event(EventKind::PasswordSet, "");
    Ok(node.store.record.save_backup_copy(&copy, &event)?)
}

/// Unwraps the DEK and checks that it is the one that seals the database.
///
/// # Errors
/// [`ports::FaultKind::Denied`] for a wrong password, [`ports::FaultKind::DataCorrupt`] for a blob of another
/// DEK.
pub fn unwrap_with_password(
    node: &Node,
    sealing: &Sealing,
    password: &Secret,
) -> Result<Dek, Error> {
    let Some(backup) = &sealing.backup else {
        return Err(Refused::PasswordNotSet.into());
    };
    let crypto = &node.secrets.crypto;
    let dek = crypto.unwrap_with_password(&backup.dek, password)?;
    // Where the database does not say which DEK seals it, the password's word is the only one there
    // is, and recovery stores it.
    if sealing.check_value.is_some() && !dek_ways::is_dek_of(node, sealing, &dek) {
        let database = node.settings.database_path.clone();
        return Err(Refused::OtherDek { database }.into());
    }
    Ok(dek)
}
