//! The command line of Trustpoint's start-up and recovery program.
//!
//! [`main`] reads the arguments, runs one command and ends the process in one place. The path of a
//! start is `startup::run`.

mod backup;
pub mod cli;
mod commands;
mod config;
mod doctor;
pub mod exit_code;
mod input;
mod keys;
mod node;
mod process;
mod prompt;
mod recover;
mod report;
mod setup;
mod startup;
mod steps;
mod tls_admin;
mod token;

use std::process::ExitCode;

use clap::Parser as _;
use ports::{Fault, FaultKind};

use cli::{Cli, Command, Format};
use commands::Next;
use report::{Console, Report};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let console = Console::new(&cli.global);
    let mut report = Report::new(commands::name(&cli.command));
    let next = process::harden()
        .and_then(|()| process::end_on_signals())
        .and_then(|()| commands::run(&cli, console, &mut report));
    end(&cli, console, report, next)
}

/// The one place where the process ends.
fn end(cli: &Cli, console: Console, mut report: Report, next: Result<Next, Fault>) -> ExitCode {
    match &next {
        Err(fault) if report.error.is_none() => report.fail(fault),
        Ok(_) | Err(_) => {}
    }
    let is_product = matches!(cli.command, Command::Completions { .. });
    if !(is_product && report.error.is_none()) {
        console.report(&report);
    }
    match next {
        Ok(Next::Replace { command, dek_file }) => {
            let fault = process::replace_by(&command, dek_file.as_deref());
            report.fail(&fault);
            console.error_only(&report);
        }
        Ok(Next::Exit) | Err(_) => {}
    }
    if adapters_hsm::any_module_started() {
        process::end_without_handlers(report.exit_code);
    }
    ExitCode::from(report.exit_code)
}

/// Bad arguments, and `--help` and `--version`, which clap gives back as errors too.
fn usage(error: &clap::Error) -> ExitCode {
    let is_error = error.use_stderr();
    let arguments: Vec<_> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--format=json")
        || arguments
            .windows(2)
            .any(|pair| pair == ["--format", "json"]);
    if is_error && json {
        let mut report = Report::new("trustpointctl");
        let text = error.to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        report.fail(&Fault::new(
            FaultKind::Usage,
            message.to_owned(),
            "`trustpointctl --help` lists the commands and their options",
        ));
        Console::plain(Format::Json).report(&report);
    } else {
        // Nothing is left to do where even this cannot be written.
        let _ = error.print();
    }
    ExitCode::from(if is_error {
        exit_code::of_fault(FaultKind::Usage)
    } else {
        exit_code::SUCCESS
    })
}
