//! `startup` and `status`.

use std::time::Duration;

use adapters_fs::durable;
use domain::Outcome;

use super::{Next, page, program};
use crate::cli::StartupArgs;
use crate::config::{Config, unknown_variables};
use crate::console::Console;
use crate::failure::Failure;
use crate::wire::{Access, wire, wire_start};
use crate::{exit_code, json, metrics};
use usecases::error::Error;
use usecases::report::{Name, Report};
use usecases::startup::{self, Mode, Request};
use usecases::tls_admin;

/// The main job: a start, and where it waits for a person and a page was asked for, that page and a
/// start again.
///
/// # Errors
/// Why the start was refused or failed.
pub fn startup(
    config: &Config,
    arguments: &StartupArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    program::check(&arguments.command)?;
    let page = arguments.page.or(config.page.value);
    let page = page.filter(|_| !arguments.dry_run);
    if !arguments.dry_run {
        page::forget_old_code(config);
    }
    let mut doorkeeper = None;
    // Said of the database that is there now, and not of one that is gone while the page waits.
    let mut accept_new_database = arguments.accept_new_database;
    loop {
        let next = start(config, arguments, accept_new_database, console, report)?;
        accept_new_database = false;
        let waits = matches!(
            report.outcome,
            Some(Outcome::SetupRequired | Outcome::RecoveryRequired)
        );
        let (Some(address), true) = (page, waits) else {
            return Ok(next);
        };
        metrics::keep_of_start(arguments, report);
        report.is_page_next = true;
        if console.is_human() {
            console.report(report, exit_code::SUCCESS);
        }
        page::serve(config, console, arguments, address, report, &mut doorkeeper)?;
        *report = Report::new("startup");
        report.warnings.extend(unknown_variables());
    }
}

/// One start.
fn start(
    config: &Config,
    arguments: &StartupArgs,
    accept_new_database: bool,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let (mode, access) = if arguments.dry_run {
        (Mode::DryRun, Access::ReadOnly)
    } else {
        (Mode::CarryOut, Access::ReadWrite)
    };
    let request = Request {
        mode,
        lock_wait: Duration::from_secs(arguments.lock_wait),
        accept_new_database,
    };
    let node = wire_start(config, access, console)?;
    let result = startup::run(&mut console.recorder(&node, report), request);
    let result = result.map_err(Failure::from);
    match &result {
        Err(fault) => report.fail(fault.report()),
        Ok(()) if mode == Mode::CarryOut && arguments.command.is_empty() => {
            tls_admin::reload_after_start(&mut console.recorder(&node, report));
        }
        Ok(()) => {}
    }
    let exit_code = exit_code::of_report(report, arguments.require_ready);
    if mode == Mode::CarryOut {
        keep_report(config, report, exit_code);
    }
    let replace = result.is_ok()
        && mode == Mode::CarryOut
        && !arguments.command.is_empty()
        && exit_code == exit_code::SUCCESS;
    if !replace {
        return result.map(|()| Next::Exit);
    }
    let dek_file = has_dek(report) && node.secrets.cache.exists().map_err(Error::from)?;
    let dek_file = dek_file.then(|| node.secrets.cache.path());
    Ok(Next::Replace {
        command: arguments.command.clone(),
        dek_file,
    })
}

/// Whether a DEK in the cache is this node's: a file that is left there of something else is none
/// for the application.
fn has_dek(report: &Report) -> bool {
    let storage = (report.context.as_ref()).and_then(|context| context.storage_type);
    report.outcome == Some(Outcome::Ready) && storage.is_some_and(|Name(storage)| storage.is_hsm())
}

/// What the next start would select.
///
/// # Errors
/// What the next start would fail with.
pub fn status(config: &Config, console: Console, report: &mut Report) -> Result<Next, Failure> {
    let request = Request {
        mode: Mode::Status,
        lock_wait: Duration::ZERO,
        accept_new_database: false,
    };
    let node = wire(config, Access::ReadOnly, console)?;
    startup::run(&mut console.quiet_recorder(&node, report), request)?;
    Ok(Next::Exit)
}

/// The last report stands in the runtime directory. A report that cannot be kept must not fail a
/// node that is up: it is warned about.
fn keep_report(config: &Config, report: &mut Report, exit_code: u8) {
    let path = config.runtime_dir.value.join("startup.json");
    let text = format!("{}\n", json::line(report, exit_code));
    let kept = durable::create_dirs(&config.runtime_dir.value, 0o700)
        .and_then(|()| durable::write_atomic(&path, text.as_bytes(), 0o600));
    if let Err(error) = kept {
        let why = Error::from(error).in_full();
        report
            .warnings
            .push(format!("this report could not be kept as {path}: {why}"));
    }
}
