//! `recover`.

use std::time::Duration;

use super::Next;
use crate::cli::RecoverArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::prompt::{self, AskedPins};
use crate::wire::{Access, wire};
use usecases::recover::{self, Request};
use usecases::report::Report;

/// Brings the DEK back with the backup password.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    arguments: &RecoverArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let file = arguments.backup_password_file.as_deref();
    let lock_wait = Duration::from_secs(arguments.lock_wait);
    let mut node = wire(config, Access::ReadWrite, console)?;
    node.secrets.pins = Box::new(AskedPins(config.secrets.clone()));
    prompt::before_asking(file, || recover::may_recover(&node))?;
    let result = prompt::with_known_password(file, |password| {
        let request = Request {
            password,
            lock_wait,
        };
        recover::run(&mut console.recorder(&node, report), &request)
    });
    report.warnings.extend(node.secrets.module.take_warnings());
    result?;
    report.warnings.extend(prompt::typed_pin(&config.secrets));
    Ok(Next::Exit)
}
