//! `setup`.

use std::time::Duration;

use domain::StorageType;
use ports::{Fault, FaultKind, Secret};

use super::Next;
use crate::cli::SetupArgs;
use crate::config::{Config, read_secret_file};
use crate::node::{Access, Node};
use crate::report::{Console, Report};
use crate::setup::{self, Wish};

/// Sets the node up, or returns it to the wizard's first state.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    arguments: &SetupArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Fault> {
    let lock_wait = Duration::from_secs(arguments.lock_wait);
    let mut on_step = |step: &crate::report::StepReport| console.step(step);
    let Some(storage) = arguments.storage else {
        let node = Node::wire(config, Access::ReadWrite, Box::new(console))?;
        let result = setup::reset(&node, lock_wait, report, &mut on_step);
        return result.map(|()| Next::Exit);
    };
    let wish = Wish {
        storage,
        backup_password: backup_password(arguments, storage)?,
        san: arguments.san.clone(),
        lock_wait,
    };
    let node = Node::wire(config, Access::ReadWrite, Box::new(console))?;
    let result = setup::run(&node, &wish, report, &mut on_step);
    result.map(|()| Next::Exit)
}

fn backup_password(arguments: &SetupArgs, storage: StorageType) -> Result<Option<Secret>, Fault> {
    match &arguments.backup_password_file {
        Some(path) => read_secret_file(path).map(Some),
        None if storage == StorageType::SoftHsm && !arguments.no_backup_password => {
            Err(Fault::new(
                FaultKind::Usage,
                "setup with SoftHSM storage needs a backup password",
                "give it with --backup-password-file, or go without one by --no-backup-password",
            ))
        }
        None => Ok(None),
    }
}
