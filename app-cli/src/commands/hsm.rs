//! `hsm check`.

use ports::TokenInfo;
use usecases::error::Error;
use usecases::hsm_check::{self, TokenCheck};
use usecases::report::own::{CheckedToken, HsmCheck, Own};
use usecases::report::{DeviceReport, Name, Report};

use super::{Next, doctor};
use crate::cli::HsmCheckArgs;
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::prompt;
use crate::wire::{Access, wire};

/// Asks the token what it can do.
///
/// # Errors
/// There is no token to ask, or it cannot keep a KEK: the first check that fails, by its kind.
pub fn check(
    config: &Config,
    arguments: &HsmCheckArgs,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let node = wire(config, Access::ReadOnly, console)?;
    let found = hsm_check::run(&node, |token| {
        Ok::<_, Error>(arguments.login || prompt::may_log_in(token)?)
    });
    report.warnings.extend(node.secrets.module.take_warnings());
    let found = found?;
    if console.is_human() {
        for line in lines(&found) {
            console.product(&line);
        }
    }
    let ended = doctor::end(&found.checks, console);
    report.own = Some(Own::HsmCheck(reported(found)));
    ended
}

/// What stands above the checks, so that all of it can be pasted into an issue.
fn lines(found: &TokenCheck) -> [String; 4] {
    let TokenInfo {
        label,
        serial,
        device,
        ..
    } = &found.token;
    [
        format!("module: {}", found.hsm),
        format!("token: {label:?}, serial {serial}"),
        format!("device: {device}"),
        format!("mechanisms: {}", of_aes(&found.mechanisms)),
    ]
}

/// Those of AES: some modules offer two hundred.
fn of_aes(mechanisms: &[String]) -> String {
    let of_aes: Vec<_> = (mechanisms.iter())
        .filter(|name| name.contains("AES"))
        .map(String::as_str)
        .collect();
    let others = mechanisms.len() - of_aes.len();
    format!("{}, and {others} that are not of AES", of_aes.join(" "))
}

fn reported(found: TokenCheck) -> HsmCheck {
    let token = found.token;
    HsmCheck {
        module: found.hsm,
        token: CheckedToken {
            device: DeviceReport::from(&token),
            pin: Name(token.pin),
            installation: token.marker.map(|marker| marker.to_string()),
            label: token.label,
        },
        mechanisms: found.mechanisms,
        checks: found.checks.iter().map(doctor::reported).collect(),
    }
}
