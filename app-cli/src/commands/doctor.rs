//! `doctor`.

use super::Next;
use crate::config::Config;
use crate::console::Console;
use crate::failure::{Failure, hint_of};
use crate::wire::{Access, wire};
use usecases::doctor::{self, Advice, Check, Place, Verdict};
use usecases::node::Node;
use usecases::report::own::{self, CheckReport, Own};
use usecases::report::{Name, Report};

/// Nobody but the owner.
const PRIVATE: u32 = 0o077;
/// Nobody but the owner may write.
const OWN_WRITE: u32 = 0o022;

/// Checks everything and says what to do.
///
/// # Errors
/// The first check that fails, by its kind.
pub fn run(config: &Config, console: Console, report: &mut Report) -> Result<Next, Failure> {
    let node = wire(config, Access::ReadOnly, console)?;
    let runtime = config.runtime_dir.value.as_str();
    let checks = doctor::run(&node, &places(config, &node), runtime);
    report.own = Some(Own::Doctor(own::Doctor {
        checks: checks.iter().map(reported).collect(),
    }));
    end(&checks, console)
}

/// Shows the checks, and ends as the first of them that fails.
///
/// # Errors
/// That one, by its kind.
pub(super) fn end(checks: &[Check], console: Console) -> Result<Next, Failure> {
    if console.is_human() {
        let advised: Vec<_> = checks.iter().map(|check| (check, hint(check))).collect();
        console.checks(&advised);
    }
    match doctor::first_failure(checks) {
        None => Ok(Next::Exit),
        Some((first, kind)) => Err(failure(checks, first, kind)),
    }
}

/// A check for the report.
pub(super) fn reported(check: &Check) -> CheckReport {
    CheckReport {
        group: Name(check.group),
        name: check.name,
        result: Name(check.verdict),
        detail: check.detail.clone(),
        hint: hint(check),
    }
}

/// What to do about a check; empty where there is nothing.
fn hint(check: &Check) -> String {
    match &check.advice {
        Advice::None => String::new(),
        Advice::Text(text) => text.clone(),
        Advice::For(error) => hint_of(error),
    }
}

fn failure(checks: &[Check], first: &Check, kind: ports::FaultKind) -> Failure {
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| matches!(check.verdict, Verdict::Fail(_)))
        .map(|check| check.name)
        .collect();
    Failure::new(
        kind,
        format!(
            "{} of {} checks failed ({}); the first: {}",
            failed.len(),
            checks.len(),
            failed.join(", "),
            first.detail
        ),
        hint(first),
    )
}

fn places(config: &Config, node: &Node) -> Vec<Place> {
    let place = |check, path: String, forbidden, secret| Place {
        check,
        path,
        forbidden,
        secret,
        only_read: false,
    };
    let database = &config.database.value;
    let directory = database
        .parent()
        .map_or(".".to_owned(), ToString::to_string);
    let key = config.tls_dir.value.join("nginx-tls-server-key.key");
    let mut places = vec![
        Place {
            only_read: true,
            ..place(
                "mode_config",
                config.file.value.to_string(),
                OWN_WRITE,
                false,
            )
        },
        place("mode_data_directory", directory, OWN_WRITE, false),
        place(
            "mode_snapshots",
            config.snapshots.value.to_string(),
            PRIVATE,
            true,
        ),
        place(
            "mode_wizard",
            node.host.wizard.directory(),
            OWN_WRITE,
            false,
        ),
        place(
            "mode_tls_directory",
            node.web.tls.directory(),
            OWN_WRITE,
            false,
        ),
        place("mode_tls_key", key.to_string(), PRIVATE, true),
        place(
            "mode_runtime",
            config.runtime_dir.value.to_string(),
            OWN_WRITE,
            false,
        ),
    ];
    let mut server_password = None;
    if node.store.is_shared() {
        server_password = config.secrets.database_password_file();
    } else {
        places.insert(
            2,
            place("mode_database", database.to_string(), PRIVATE, true),
        );
    }
    for (check, file) in [
        ("mode_database_password_file", server_password),
        ("mode_pin_file", config.secrets.user_pin_file()),
        ("mode_so_pin_file", config.secrets.so_pin_file()),
    ] {
        if let Some(file) = file {
            // A secret that a container runtime mounts may well be readable by its group.
            places.push(Place {
                only_read: true,
                ..place(check, file.into_string(), 0o007, true)
            });
        }
    }
    places
}
