//! Setup is killed in each wizard state: story 10.

use std::collections::BTreeSet;

use super::setup::{set_up_softhsm, set_up_software};
use crate::e2e::container::Container;
use crate::e2e::report::{require, same};
use crate::e2e::world::{PASSWORD_FILE, Spec, World};
use crate::run::Result;

/// More renames than any setup has.
const MOST: usize = 40;

const SOFTWARE: [&str; 4] = [
    "WIZARD_SETUP_CRYPTO_STORAGE",
    "WIZARD_SETUP_MODE",
    "WIZARD_SELECT_TLS_SERVER_CREDENTIAL",
    "WIZARD_TLS_SERVER_CREDENTIAL_APPLY",
];
const SOFTHSM: [&str; 2] = ["WIZARD_SETUP_HSM", "WIZARD_BACKUP_PASSWORD"];

/// Story 10.
pub fn interrupted(world: &World<'_>) -> Result<()> {
    let software = each_rename(world, "software")?;
    let softhsm = each_rename(world, "softhsm")?;
    for state in SOFTWARE {
        require(software.contains(state) && softhsm.contains(state), || {
            format!("no setup was killed in {state}")
        })?;
    }
    for state in SOFTHSM {
        require(softhsm.contains(state), || {
            format!("no setup was killed in {state}")
        })?;
    }
    Ok(())
}

/// Kills a setup at its first rename, the next at its second, and so on until one goes through:
/// the wizard's moves are renames. The states in which they died.
fn each_rename(world: &World<'_>, storage: &str) -> Result<BTreeSet<String>> {
    let mut states = BTreeSet::new();
    for number in 1..MOST {
        match one_setup(world, storage, number)? {
            Some(state) => states.insert(state),
            None => {
                world.note(format!("{storage}: killed at {} renames", number - 1));
                return Ok(states);
            }
        };
    }
    Err(format!("setup still renames after {MOST} renames"))
}

/// The state in which the setup died; `None` where it had fewer renames and went through.
fn one_setup(world: &World<'_>, storage: &str, number: usize) -> Result<Option<String>> {
    let name = |kind: &str| format!("{kind}-{storage}-{number}");
    let (data, wizard) = (name("data"), name("wizard"));
    let (socket, tokens) = (name("socket"), name("tokens"));
    let (token, usual) = match storage {
        "softhsm" => (Some(world.softhsm_on(&tokens, &socket)?), world.spec()),
        _ => (None, world.software_spec()),
    };
    let node = world.node(&Spec {
        image: &world.stage.images.tools,
        data: &data,
        wizard: &wizard,
        socket: &socket,
        ..usual
    })?;
    node.start()?;
    let first = node.expect_page("setup_required")?.fingerprint;
    let when = format!("inject=rename,renameat,renameat2:signal=KILL:when={number}");
    let mut command = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
    command.extend(["-e", "trace=rename,renameat,renameat2", "-e", &when]);
    command.extend(["trustpointctl", "setup", "--storage", storage]);
    if storage == "softhsm" {
        command.extend(["--backup-password-file", PASSWORD_FILE]);
    }
    let output = node.exec(&command)?;
    let died = if output.status.success() {
        None
    } else {
        // strace dies of the signal of what it traces.
        same(
            "the exit code of a killed setup",
            output.status.code(),
            Some(137),
        )?;
        Some(goes_through(&node, storage, &first)?)
    };
    node.remove()?;
    if let Some(token) = token {
        token.remove()?;
    }
    Ok(died)
}

/// The container is killed too; setup page again, setup goes through. The state it died in.
fn goes_through(node: &Container<'_>, storage: &str, first: &str) -> Result<String> {
    let state = node.exec_text(&["ls", "/etc/trustpoint/wizard/state"])?;
    node.kill()?;
    node.start()?;
    node.expect_page("setup_required")?;
    let ran = match storage {
        "softhsm" => set_up_softhsm(node)?,
        _ => set_up_software(node)?,
    };
    // The setup page had a temporary certificate where the DEK was not yet in reach; the one of
    // the first page comes back with the setup.
    same("the fingerprint of setup", ran.report.fingerprint(), first)?;
    node.await_fingerprint(first)?;
    node.restart()?;
    node.expect_page_with("ready", first)?;
    Ok(state)
}
