//! `keys show`, `keys rotate-kek`, `keys forget-token`, `keys set-backup-password`,
//! `keys verify-backup-password`.

use std::time::Duration;

use super::Next;
use crate::cli::{ForgetTokenArgs, KeysCommand, RecoverArgs, RotateKekArgs, VerifyPasswordArgs};
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::prompt::{self, AskedPins};
use crate::wire::{Access, wire};
use usecases::keys::{self, Forget, Rotation};
use usecases::report::Report;
use usecases::report::own::{KeysShow, Own};
use usecases::setup::check_password;

/// Runs the command.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    command: &KeysCommand,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    match command {
        KeysCommand::Show => show(config, console, report),
        KeysCommand::RotateKek(arguments) => rotate(config, arguments, console, report),
        KeysCommand::ForgetToken(arguments) => forget(config, arguments, console, report),
        KeysCommand::SetBackupPassword(arguments) => set(config, arguments, console, report),
        KeysCommand::VerifyBackupPassword(arguments) => verify(config, arguments, console, report),
    }
}

/// Name of the command in reports.
#[must_use]
pub fn name(command: &KeysCommand) -> &'static str {
    match command {
        KeysCommand::Show => "keys show",
        KeysCommand::RotateKek(_) => "keys rotate-kek",
        KeysCommand::ForgetToken(_) => "keys forget-token",
        KeysCommand::SetBackupPassword(_) => "keys set-backup-password",
        KeysCommand::VerifyBackupPassword(_) => "keys verify-backup-password",
    }
}

fn show(config: &Config, console: Console, report: &mut Report) -> Result<Next, Failure> {
    let node = wire(config, Access::ReadOnly, console)?;
    let facts = keys::show(&node)?;
    if console.is_human() {
        for line in facts.lines() {
            console.product(&line);
        }
    }
    report.own = Some(Own::KeysShow(KeysShow {
        keys: facts.report(),
    }));
    report.warnings.extend(facts.warnings);
    Ok(Next::Exit)
}

fn rotate(
    config: &Config,
    arguments: &RotateKekArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let request = Rotation {
        destroy_old: arguments.destroy_old,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    };
    let mut node = wire(config, Access::ReadWrite, console)?;
    node.secrets.pins = Box::new(AskedPins(config.secrets.clone()));
    let result = keys::rotate(&mut console.recorder(&node, report), request);
    report.warnings.extend(node.secrets.module.take_warnings());
    result?;
    Ok(Next::Exit)
}

fn forget(
    config: &Config,
    arguments: &ForgetTokenArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let mut node = wire(config, Access::ReadWrite, console)?;
    node.secrets.pins = Box::new(AskedPins(config.secrets.clone()));
    let token = keys::to_forget(&node, &arguments.serial)?;
    if !arguments.yes {
        prompt::confirm_forgetting(&token)?;
    }
    let file = arguments.backup_password_file.as_deref();
    let request = Forget {
        serial: arguments.serial.clone(),
        password: file.map(prompt::secret_of).transpose()?,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    };
    let result = keys::forget(&mut console.recorder(&node, report), &request);
    report.warnings.extend(node.secrets.module.take_warnings());
    result?;
    Ok(Next::Exit)
}

fn set(
    config: &Config,
    arguments: &RecoverArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let file = arguments.backup_password_file.as_deref();
    let mut node = wire(config, Access::ReadWrite, console)?;
    node.secrets.pins = Box::new(AskedPins(config.secrets.clone()));
    let lock_wait = Duration::from_secs(arguments.lock_wait);
    prompt::before_asking(file, || keys::may_use_password(&node))?;
    let password = prompt::new_password(file, check_password)?;
    keys::set(&mut console.recorder(&node, report), &password, lock_wait)?;
    Ok(Next::Exit)
}

fn verify(
    config: &Config,
    arguments: &VerifyPasswordArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let file = arguments.backup_password_file.as_deref();
    let node = wire(config, Access::ReadOnly, console)?;
    prompt::before_asking(file, || keys::may_use_password(&node))?;
    prompt::with_known_password(file, |password| {
        keys::verify(&mut console.recorder(&node, report), &password)
    })?;
    Ok(Next::Exit)
}
