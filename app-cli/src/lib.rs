//! The command line of Trustpoint's start-up and recovery program.
//!
//! [`main`] reads the arguments, runs one command and ends the process in one place. The path of a
//! start is `usecases::startup::run`.

pub mod cli;
mod commands;
mod config;
mod console;
pub mod exit_code;
mod failure;
mod hints;
mod input;
mod json;
mod line;
pub mod manual;
mod metrics;
mod process;
mod progress;
mod prompt;
#[cfg(feature = "schema")]
pub mod schema;
mod screen;
mod summary;
mod visible;
mod wire;

use std::io::Write as _;
use std::process::ExitCode;

use ports::FaultKind;

use cli::{Cli, Command, Format};
use commands::Next;
use console::{Console, unwritten};
use failure::Failure;
use usecases::report::Report;
use visible::visible_lines;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::parse_all() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let console = Console::new(&cli.global).leaving_stdout(cli.command.sends_to_stdout());
    let mut report = Report::new(commands::name(&cli.command));
    let next = process::harden()
        .and_then(|()| process::end_on_signals())
        .and_then(|()| commands::run(&cli, console, &mut report));
    end(&cli, console, report, next)
}

/// The one place where the process ends.
fn end(cli: &Cli, console: Console, mut report: Report, next: Result<Next, Failure>) -> ExitCode {
    match &next {
        Err(fault) if report.error.is_none() => report.fail(fault.report()),
        Ok(_) | Err(_) => {}
    }
    metrics::keep(&cli.command, &mut report);
    let is_product = matches!(cli.command, Command::Completions { .. });
    let require_ready = requires_ready(&cli.command);
    if !(is_product && report.error.is_none()) {
        console.report(&report, exit_code::of_report(&report, require_ready));
    }
    let is_out = all_is_out(console, &mut report);
    match next {
        Ok(Next::Replace { command, dek_file }) if is_out => {
            let fault = process::replace_by(&command, dek_file.as_deref());
            report.fail(fault.report());
            metrics::keep(&cli.command, &mut report);
            console.error_only(&fault.report());
        }
        Ok(_) | Err(_) => {}
    }
    let exit_code = exit_code::of_report(&report, require_ready);
    if adapters_hsm::any_module_started() {
        process::end_without_handlers(exit_code);
    }
    ExitCode::from(exit_code)
}

/// Whether only a ready node is a success.
fn requires_ready(command: &Command) -> bool {
    match command {
        Command::Status => true,
        Command::Startup(arguments) => arguments.require_ready,
        _ => false,
    }
}

/// A report that cannot be written is no success. A failure keeps its code, and its error goes to
/// standard error, where the report for programs would not have had it.
fn all_is_out(console: Console, report: &mut Report) -> bool {
    let Some(lost) = unwritten() else { return true };
    match &report.error {
        None => report.fail(lost.report()),
        Some(error) if !console.is_human() => console.error_only(error),
        Some(_) => {}
    }
    console.error_only(&lost.report());
    false
}

/// Bad arguments, and `--help` and `--version`, which clap gives back as errors too.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let format = wanted("--format").unwrap_or(Format::Human);
    let log = wanted("--log-format").unwrap_or(format);
    if !error.use_stderr() {
        // In its colours, which clap knows how to leave out.
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        let mut report = Report::new("trustpointctl");
        if let Err(why) = printed {
            let lost = Failure::io("writing to standard output", why);
            report.fail(lost.report());
            Console::plain(format, log).error_only(&lost.report());
        }
        return ExitCode::from(exit_code::of_report(&report, false));
    }
    match (format, log) {
        (Format::Human, Format::Human) => {
            // Nothing is left to do where even this cannot be written.
            let _ = writeln!(std::io::stderr(), "{}", visible_lines(text.trim_end()));
        }
        _ => {
            let mut report = Report::new("trustpointctl");
            let message = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let failure = Failure::new(
                FaultKind::Usage,
                message.to_owned(),
                "`trustpointctl --help` lists the commands and their options",
            );
            report.fail(failure.report());
            let console = Console::plain(format, log);
            console.report(&report, exit_code::of_report(&report, false));
            all_is_out(console, &mut report);
        }
    }
    ExitCode::from(exit_code::of_fault(FaultKind::Usage))
}

/// The format of this option, as far as a command line that did not parse says so; its arguments
/// may be no text.
fn wanted(option: &str) -> Option<Format> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let is = |value: &str| {
        let joined = format!("{option}={value}");
        arguments.iter().any(|argument| argument == joined.as_str())
            || arguments
                .windows(2)
                .any(|pair| matches!(pair, [name, given] if name == option && given == value))
    };
    if is("json") {
        Some(Format::Json)
    } else {
        is("human").then_some(Format::Human)
    }
}
