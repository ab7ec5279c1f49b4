//! `backup create`: beside a running node, under no lock, nothing of the node is changed.

use domain::{SetupWizardState, StorageType, WizardState};
use ports::{BackupManifest, BackupOrigin, BackupPlace, Fault, FaultKind, NodeRecord, Secret};

use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;
use crate::report::{Report, StepReport};
use crate::setup::{MIN_PASSWORD_CHARS, is_long_enough};

/// What the operator wants.
pub struct Create {
    /// Where the backup goes.
    pub file: String,
    /// What it is encrypted under, where it is.
    pub password: Option<Secret>,
}

/// A backup that was made.
pub struct Created {
    /// What it says of itself.
    pub manifest: BackupManifest,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Makes the backup. `progress` hears how much of how much is copied.
///
/// # Errors
/// Why it was refused or failed; what stood at the path still stands there.
pub fn run(
    node: &Node,
    wish: &Create,
    report: &mut Report,
    on_step: &mut dyn FnMut(&StepReport),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Created, Fault> {
    wish.password.as_ref().map_or(Ok(()), check_password)?;
    refuse_overwriting(node, &wish.file)?;
    let record = record::read(node)?;
    let mut recorder = Recorder {
        node,
        report,
        on_step,
    };
    let origin = BackupOrigin {
        application_version: node.settings.app_version.to_string(),
        setup_completed: setup_completed(&mut recorder, &record),
        at: node.clock.now(),
    };
    let manifest = match &wish.password {
        None => node.backups.create(&wish.file, &origin, progress)?,
        Some(password) => {
            let size = std::fs::metadata(&node.settings.database_path);
            let size = size.map_or(0, |metadata| metadata.len());
            let clear = node.cipher.private_file(size)?;
            let manifest = node.backups.create(clear.path(), &origin, progress)?;
            node.cipher.encrypt(clear.path(), &wish.file, password)?;
            manifest
        }
    };
    let detail = format!("{}, SHA-256 {}", wish.file, manifest.sha256);
    recorder.note("create_backup", true, &detail);
    if wish.password.is_none() {
        recorder.report.warnings.extend(clear_keys(node, &record)?);
    }
    let damaged = crate::sealing::password_blob_fault(node, &record);
    let damaged = damaged.map(|fault| format!("{fault}; {}", fault.hint()));
    recorder.report.warnings.extend(damaged);
    if record.storage == Some(StorageType::SoftHsm) && !manifest.backup_password_set {
        recorder.report.warnings.push(
            "no backup password is set: this backup opens with the token that is in use now, and \
             with nothing else"
                .into(),
        );
    }
    Ok(Created {
        manifest,
        encrypted: wish.password.is_some(),
    })
}

/// A backup may be made anew under its name; nothing else is ever overwritten.
fn refuse_overwriting(node: &Node, file: &str) -> Result<(), Fault> {
    let place = node.backups.place(file)?;
    if place != BackupPlace::Other || node.cipher.is_encrypted(file)? {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Usage,
        format!("{file} is there already, and it is no backup: it is not overwritten"),
        "give another path",
    ))
}

/// The state directory may know of a completed setup before the database does.
fn setup_completed(recorder: &mut Recorder<'_>, record: &NodeRecord) -> bool {
    let marked = record.setup_completed_at.is_some();
    match recorder.node.wizard.read() {
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

fn clear_keys(node: &Node, record: &NodeRecord) -> Result<Option<String>, Fault> {
    let in_the_clear = record.storage != Some(StorageType::SoftHsm)
        || node
            .credentials
            .list()?
            .iter()
            .any(|stored| !stored.is_sealed);
    Ok(in_the_clear.then(|| {
        "this backup holds private keys in the clear: guard it like a key, or encrypt it under a \
         password with --encrypt-password-file (the format of age)"
            .to_owned()
    }))
}

fn check_password(password: &Secret) -> Result<(), Fault> {
    if is_long_enough(password) {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Usage,
        format!("the password of the backup file has fewer than {MIN_PASSWORD_CHARS} characters"),
        "choose a longer one: whoever has the file can try passwords for ever",
    ))
}
