//! The commands: each reads its arguments, calls its use case, and gives back a report.

mod backup;
mod completions;
mod config;
mod doctor;
mod history;
mod hsm;
mod keys;
mod page;
mod program;
mod recover;
mod setup;
mod startup;
mod tls;

use crate::cli::{BackupCommand, Cli, Command, HsmCommand, TlsCommand};
use crate::config::{Config, unknown_variables};
use crate::console::Console;
use crate::failure::Failure;
use crate::wire::{Access, wire_start};
use usecases::backup_password;
use usecases::report::Report;

/// How the process goes on after a command.
pub enum Next {
    /// It ends with the report's exit code.
    Exit,
    /// It is replaced by this command.
    Replace {
        /// Program and arguments.
        command: Vec<std::ffi::OsString>,
        /// The DEK cache, where there is one.
        dek_file: Option<String>,
    },
}

/// Runs the command. The report is filled in also where the result is a failure.
///
/// # Errors
/// Why the command failed.
pub fn run(cli: &Cli, console: Console, report: &mut Report) -> Result<Next, Failure> {
    if let Command::Completions { shell } = &cli.command {
        return Ok(completions::run(*shell, console));
    }
    let config = Config::load(&cli.global)?;
    report.warnings.extend(unknown_variables());
    let next = run_on_node(cli, &config, console, report)?;
    if !says_so_itself(&cli.command) {
        warn_of_no_backup_password(&config, console, report);
    }
    Ok(next)
}

/// Whoever set the node up without one is told so in every report of a command that has seen its database.
fn warn_of_no_backup_password(config: &Config, console: Console, report: &mut Report) {
    if let Ok(node) = wire_start(config, Access::ReadOnly, console.quietly()) {
        let warning = backup_password::warning_of_none(&node);
        report.warnings.extend(warning.map(str::to_owned));
    }
}

/// Whether a command warns of that by itself, or has not seen the database.
const fn says_so_itself(command: &Command) -> bool {
    matches!(
        command,
        Command::Startup(_)
            | Command::Status
            | Command::Setup(_)
            | Command::Backup(BackupCommand::Create(_))
            | Command::Config(_)
            | Command::Completions { .. }
    )
}

fn run_on_node(
    cli: &Cli,
    config: &Config,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    match &cli.command {
        Command::Startup(arguments) => startup::startup(config, arguments, console, report),
        Command::Status => startup::status(config, console, report),
        Command::Setup(arguments) => setup::run(config, arguments, console, report),
        Command::Recover(arguments) => recover::run(config, arguments, console, report),
        Command::Keys(command) => keys::run(config, command, console, report),
        Command::Tls(command) => tls::run(config, command, console, report),
        Command::Backup(command) => backup::run(config, command, console, report),
        Command::Doctor => doctor::run(config, console, report),
        Command::Hsm(HsmCommand::Check(arguments)) => {
            hsm::check(config, arguments, console, report)
        }
        Command::History(arguments) => history::run(config, arguments, console, report),
        Command::Config(_) => Ok(config::show(config, console, report)),
        Command::Completions { .. } => Ok(Next::Exit),
    }
}

/// Name of the command in reports.
#[must_use]
pub fn name(command: &Command) -> &'static str {
    match command {
        Command::Startup(_) => "startup",
        Command::Status => "status",
        Command::Setup(_) => "setup",
        Command::Recover(_) => "recover",
        Command::Keys(command) => keys::name(command),
        Command::Tls(command) => match command {
            TlsCommand::Show => "tls show",
            TlsCommand::Renew(_) => "tls renew",
            TlsCommand::Import(_) => "tls import",
            TlsCommand::History => "tls history",
            TlsCommand::Activate(_) => "tls activate",
        },
        Command::Backup(command) => match command {
            BackupCommand::Create(_) => "backup create",
            BackupCommand::Verify(_) => "backup verify",
            BackupCommand::Restore(_) => "backup restore",
        },
        Command::Doctor => "doctor",
        Command::Hsm(HsmCommand::Check(_)) => "hsm check",
        Command::History(_) => "history",
        Command::Config(_) => "config show",
        Command::Completions { .. } => "completions",
    }
}
