//! `setup`.

use std::time::Duration;

use domain::StorageType;
use ports::{FaultKind, Secret};

use super::Next;
use crate::cli::SetupArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::prompt::{self, AskedPins};
use crate::wire::{Access, wire};
use usecases::backup_password::check_password;
use usecases::node::Node;
use usecases::report::Report;
use usecases::setup::{self, Request};

/// Sets the node up, or returns it to the wizard's first state.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    arguments: &SetupArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let lock_wait = Duration::from_secs(arguments.lock_wait);
    let mut node = wire(config, Access::ReadWrite, console)?;
    node.secrets.pins = Box::new(AskedPins(config.secrets.clone()));
    let result = if arguments.reset {
        setup::reset(&mut console.recorder(&node, report), lock_wait).map(|()| None)
    } else {
        let request = request(&node, arguments)?;
        let storage = request.storage;
        setup::run(&mut console.recorder(&node, report), &request).map(|()| Some(storage))
    };
    report.warnings.extend(node.secrets.module.take_warnings());
    if result?.is_some_and(StorageType::is_hsm) {
        report.warnings.extend(prompt::typed_pin(&config.secrets));
    }
    Ok(Next::Exit)
}

/// What the operator wants, said by flags or asked for.
fn request(node: &Node, arguments: &SetupArgs) -> Result<Request, Failure> {
    let (storage, san) = match arguments.storage {
        Some(storage) => (storage, arguments.san.clone()),
        None => {
            prompt::before_asking(None, || setup::may_set_up(node))?;
            let storage = prompt::storage(node.settings.physical_hsm)?;
            (storage, names(node, arguments)?)
        }
    };
    setup::may_use(node, storage)?;
    Ok(Request {
        storage,
        backup_password: backup_password(node, arguments, storage)?,
        san,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    })
}

fn names(node: &Node, arguments: &SetupArgs) -> Result<Vec<String>, Failure> {
    if !arguments.san.is_empty() {
        return Ok(arguments.san.clone());
    }
    prompt::names(&node.settings.san, |names| setup::check_names(node, names))
}

fn backup_password(
    node: &Node,
    arguments: &SetupArgs,
    storage: StorageType,
) -> Result<Option<Secret>, Failure> {
    let file = arguments.backup_password_file.as_deref();
    if file.is_none() && (!storage.is_hsm() || arguments.no_backup_password) {
        return Ok(None);
    }
    if file.is_none() && !prompt::is_terminal() {
        return Err(Failure::new(
            FaultKind::Usage,
            format!("setup with {storage} storage needs a backup password"),
            "give it with --backup-password-file, or go without one by --no-backup-password",
        ));
    }
    prompt::before_asking(file, || setup::may_set_up(node))?;
    prompt::new_password(file, check_password).map(Some)
}
