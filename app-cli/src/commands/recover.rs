//! `recover`.

use std::time::Duration;

use ports::Fault;

use super::Next;
use crate::cli::RecoverArgs;
use crate::config::{Config, read_secret_file};
use crate::node::{Access, Node};
use crate::recover::{self, Wish};
use crate::report::{Console, Report};

/// Brings the DEK back with the backup password.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    arguments: &RecoverArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Fault> {
    let wish = Wish {
        password: read_secret_file(&arguments.backup_password_file)?,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    };
    let node = Node::wire(config, Access::ReadWrite, Box::new(console))?;
    let result = recover::run(&node, &wish, report, &mut |step| console.step(step));
    result.map(|()| Next::Exit)
}
