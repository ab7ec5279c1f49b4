//! `backup restore`: onto a node that was never set up, and onto a live one.
//!
//! Each step may be the last before the power goes; running it again finishes the work.

use std::time::Duration;

use domain::{CacheFate, SetupWizardState, WizardState};
use ports::{Backup, BackupSource, EventKind, FaultKind, NodeRecord, TokenCopy};

use super::last_copy::ensure_nothing_lost;
use super::newer::ensure_not_newer;
use crate::error::Error;
use crate::lock;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;

/// What the operator wants.
pub struct Restore<'a> {
    /// The backup.
    pub source: BackupSource<'a>,
    /// What that is called.
    pub name: String,
    /// Whether a node that is set up may become another installation.
    pub accept_other_installation: bool,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Restores the backup.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: Restore<'_>) -> Result<Backup, Error> {
    let node = recorder.node;
    let Restore { source, name, .. } = request;
    // Before the lock, whose file is the first change: a backup that cannot be used needs no node.
    let mut staged = node.store.backups.stage(source)?;
    let backup = staged.backup().clone();
    ensure_not_newer(node, &name, &backup)?;
    let _lock = lock::acquire(node, request.lock_wait)?;
    let raw = node.host.wizard.read()?.state();
    let present = present(node)?;
    let accept = request.accept_other_installation;
    ensure_same_installation(node, &name, accept, raw, present.as_ref(), &backup)?;
    let cached = ensure_nothing_lost(node, present.as_ref(), &backup.record)?;

    note_checked(recorder, &name, &backup);
    let path = &node.settings.database_path;
    if staged.is_in_place()? {
        set_wizard(recorder, raw, &backup)?;
        recorder.note("replace_database", false, &format!("{path} is this backup"));
    } else {
        remember_setup(node, raw, present.as_ref(), &backup)?;
        let kept = staged.keep_replaced(node.host.clock.now())?;
        match &kept {
            Some(kept) => {
                let kept = format!("{kept}; it stays there until you remove it");
                recorder.note("keep_replaced", true, &kept);
            }
            None => recorder.note("keep_replaced", false, "there was no database"),
        }
        // Before the database: its mark says what it is, and a state that was left half way would
        // have the next start forget that.
        set_wizard(recorder, raw, &backup)?;
        staged.put_in_place()?;
        recorder.note("replace_database", true, path);
        tell_of_restored_copies(recorder, present.as_ref(), &backup.record);
    }
    drop_other_dek(recorder, cached)?;
    // After the database: it is there that the node's history goes on.
    let event = node.event(EventKind::BackupRestored, name);
    if !node.store.history.note(&event)? {
        let later = "the database is of an older version, whose history has no place for it";
        recorder.skip("note_restore", later);
    }
    node.host
        .output
        .info("the next `trustpointctl startup` says what this node needs");
    Ok(backup)
}

/// The present database, as far as it can be read: a damaged one is what a restore is for.
fn present(node: &Node) -> Result<Option<NodeRecord>, Error> {
    match node.store.record.read() {
        Ok(record) => Ok(record),
        Err(fault) if fault.kind() == FaultKind::DataCorrupt => {
            node.host
                .output
                .warning(&format!("the present database cannot be read: {fault}"));
            Ok(None)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// A node that is set up does not become another one by a backup that was mixed up.
fn ensure_same_installation(
    node: &Node,
    name: &str,
    accept_other_installation: bool,
    raw: Option<SetupWizardState>,
    present: Option<&NodeRecord>,
    backup: &Backup,
) -> Result<(), Refused> {
    let Some(present) = present else {
        return Ok(());
    };
    let marked = present.setup_completed_at.is_some();
    let is_set_up = SetupWizardState::effective(raw, marked) == WizardState::Completed;
    let (ours, theirs) = (&present.installation, &backup.record.installation);
    if !is_set_up || ours.is_none() || ours == theirs || accept_other_installation {
        return Ok(());
    }
    let id = |id: &Option<domain::InstallationId>| {
        id.as_ref().map_or("(none)".to_owned(), ToString::to_string)
    };
    Err(Refused::OtherInstallation {
        backup: name.to_owned(),
        theirs: id(theirs),
        ours: id(ours),
        database: node.settings.database_path.clone(),
    })
}

fn note_checked(recorder: &mut Recorder<'_>, file: &str, backup: &Backup) {
    match &backup.manifest {
        Some(manifest) => recorder.note(
            "check_backup",
            false,
            &format!(
                "{file} is whole (SHA-256 {}), of version {}, made at {}",
                manifest.sha256,
                manifest.application_version,
                crate::report::rfc3339(manifest.created_at)
            ),
        ),
        None => {
            recorder.note(
                "check_backup",
                false,
                &format!(
                    "{file} is a whole snapshot, of version {}",
                    backup.record.version.as_deref().unwrap_or("(none)")
                ),
            );
            recorder.report.warnings.push(format!(
                "{file} has no manifest (a snapshot has none): that it is whole is known from \
                 SQLite's integrity check alone"
            ));
        }
    }
}

/// Where only the state directory knows that the present node is set up, its database learns it
/// before that state goes.
fn remember_setup(
    node: &Node,
    raw: Option<SetupWizardState>,
    present: Option<&NodeRecord>,
    backup: &Backup,
) -> Result<(), Error> {
    let goes = wizard_after(raw, backup).is_some();
    let known_here_alone = present.is_some_and(|record| {
        record.setup_completed_at.is_none() && record.schema == domain::SchemaState::Current
    });
    let is_set_up = raw.is_some_and(SetupWizardState::counts_as_completed);
    if goes && known_here_alone && is_set_up {
        let event = node.event(EventKind::SetUp, "");
        node.store.record.mark_setup_completed(&event)?;
    }
    Ok(())
}

/// Where the state directory contradicts the backup's database, it goes
/// to the first state, with which the database's mark alone decides (C9).
fn wizard_after(raw: Option<SetupWizardState>, backup: &Backup) -> Option<SetupWizardState> {
    let completed = backup.record.setup_completed_at.is_some();
    match raw {
        None | Some(SetupWizardState::SetupCryptoStorage) => None,
        Some(state) if state.counts_as_completed() && completed => None,
        Some(_) => Some(SetupWizardState::SetupCryptoStorage),
    }
}

fn set_wizard(
    recorder: &mut Recorder<'_>,
    raw: Option<SetupWizardState>,
    backup: &Backup,
) -> Result<(), Error> {
    wizard_after(raw, backup).map_or(Ok(()), |state| recorder.go_to(state))
}

/// A token that was forgotten since the backup was made opens the DEK again.
fn tell_of_restored_copies(
    recorder: &mut Recorder<'_>,
    present: Option<&NodeRecord>,
    restored: &NodeRecord,
) {
    let Some(present) = present.filter(|present| present.installation == restored.installation)
    else {
        return;
    };
    let present = &present.sealing;
    let is_new = |copy: &&TokenCopy| {
        present
            .wrapped_copies()
            .all(|had| had.serial != copy.serial)
    };
    for TokenCopy { label, serial, .. } in restored.sealing.wrapped_copies().filter(is_new) {
        recorder.report.warnings.push(format!(
            "the database that was restored has a copy of the DEK for the token {label:?} (serial \
             {serial}), and the one before had none: if that token was stolen, have it forgotten \
             again: `trustpointctl keys forget-token {serial}`"
        ));
    }
}

/// The cache must not hold the DEK of another database (C22), unless that may be its last copy.
fn drop_other_dek(recorder: &mut Recorder<'_>, fate: CacheFate) -> Result<(), Error> {
    let node = recorder.node;
    match fate {
        CacheFate::Drop if node.secrets.cache.remove()? => {
            let what = "it held the DEK of another database";
            recorder.note("drop_dek_cache", true, what);
        }
        CacheFate::Drop | CacheFate::Refuse => {}
        CacheFate::Keep => {
            let kept = format!("{} stays as it is", node.secrets.cache.path());
            recorder.skip("drop_dek_cache", &kept);
        }
    }
    Ok(())
}
