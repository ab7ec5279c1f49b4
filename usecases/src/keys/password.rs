//! The backup password: set, and proven.

use std::time::Duration;

use ports::{BackupCopy, Dek, EventKind, Secret};

use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::lock;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::recover::unwrap_with_password;
use crate::refused::Refused;
use crate::setup::check_password;

/// Whether this node can have a backup password, before anybody is asked for it.
///
/// # Errors
/// Why not.
pub fn may_use_password(node: &Node) -> Result<(), Error> {
    SealedNode::read(node).map(drop)
}

/// Sets or changes the backup password.
///
/// # Errors
/// A password that is too short, a DEK that is out of reach, the database; nothing was changed
/// then.
pub fn set(
    recorder: &mut Recorder<'_>,
    password: &Secret,
    lock_wait: Duration,
) -> Result<(), Error> {
    let node = recorder.node;
    check_password(password)?;
    let _lock = lock::acquire_installed(node, lock_wait)?;
    let sealed = SealedNode::read(node)?;
    let dek = sealed.dek(node)?;
    let had_one = sealed.record.sealing.backup.is_some();
    store(node, &dek, password)?;
    recorder.note(
        "set_backup_password",
        true,
        "the DEK is wrapped by this backup password",
    );
    if had_one {
        recorder.report.warnings.push(
            "backups and snapshots made before this still need the backup password of their time"
                .into(),
        );
    }
    Ok(())
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

/// The recovery drill: proves that the password unwraps the DEK in use, and changes nothing.
///
/// # Errors
/// [`ports::FaultKind::Denied`] for a wrong password, [`ports::FaultKind::Config`] where none is set,
/// [`ports::FaultKind::DataCorrupt`] where what it unwraps is not the DEK in use.
pub fn verify(recorder: &mut Recorder<'_>, password: &Secret) -> Result<(), Error> {
    let node = recorder.node;
    prove(node, &SealedNode::read(node)?, password)?;
    recorder.note(
        "verify_backup_password",
        false,
        "the backup password unwraps the DEK in use",
    );
    Ok(())
}

/// Proves that the password unwraps the DEK in use.
///
/// # Errors
/// As [`verify`].
pub(super) fn prove(node: &Node, sealed: &SealedNode, password: &Secret) -> Result<(), Error> {
    let sealing = &sealed.record.sealing;
    if sealing.check_value.is_none() {
        let database = node.settings.database_path.clone();
        return Err(Refused::UnknownDek { database }.into());
    }
    unwrap_with_password(node, sealing, password).map(drop)
}
