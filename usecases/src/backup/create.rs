//! `backup create`: beside a running node, under no lock, nothing of the node is changed.

use domain::{SetupWizardState, StorageType, WizardState};
use ports::{BackupManifest, BackupOrigin, BackupTarget, NodeRecord};

use crate::error::Error;
use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;

/// What the operator wants.
pub struct Create<'a> {
    /// Where the backup goes.
    pub target: BackupTarget<'a>,
    /// What that is called.
    pub name: String,
}

/// Makes the backup.
///
/// # Errors
/// Why it was refused or failed; what stood at the path still stands there.
pub fn run(recorder: &mut Recorder<'_>, request: Create<'_>) -> Result<BackupManifest, Error> {
    let node = recorder.node;
    let record = record::read(node)?;
    let origin = BackupOrigin {
        application_version: node.settings.app_version.to_string(),
        setup_completed: setup_completed(recorder, &record),
        at: node.host.clock.now(),
    };
    let manifest = node.store.backups.create(request.target, &origin)?;
    let detail = format!("{}, SHA-256 {}", request.name, manifest.sha256);
    recorder.note("create_backup", true, &detail);
    recorder.report.warnings.extend(clear_keys(node, &record)?);
    let damaged = crate::dek_ways::password_blob_warning(node, &record);
    recorder.report.warnings.extend(damaged);
    let is_hsm = record.storage.is_some_and(StorageType::is_hsm);
    if is_hsm && !manifest.backup_password_set {
        recorder.report.warnings.push(
            "no backup password is set: this backup opens with the tokens that `keys show` lists now, \
             and with nothing else"
                .into(),
        );
    }
    Ok(manifest)
}

/// The state directory may know of a completed setup before the database does.
fn setup_completed(recorder: &mut Recorder<'_>, record: &NodeRecord) -> bool {
    let marked = record.setup_completed_at.is_some();
    match recorder.node.host.wizard.read() {
        Ok(directory) => {
            SetupWizardState::effective(directory.state(), marked) == WizardState::Completed
        }
        Err(fault) => {
            let warning = format!("the wizard state is not in the backup: {fault}");
            recorder.report.warnings.push(warning);
            marked
        }
    }
}

fn clear_keys(node: &Node, record: &NodeRecord) -> Result<Option<String>, Error> {
    let in_the_clear = !record.storage.is_some_and(StorageType::is_hsm)
        || node
            .store
            .credentials
            .list()?
            .iter()
            .any(|stored| !stored.is_sealed);
    Ok(in_the_clear.then(|| {
        "this backup holds private keys in the clear: guard it like a key, or encrypt it on its \
         way: `trustpointctl backup create - | age -p > FILE`"
            .to_owned()
    }))
}
