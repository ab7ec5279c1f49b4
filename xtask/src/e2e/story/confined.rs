//! What a container may, and what it shows: story 14. Users, root file system, capabilities and
//! secrets of every other story's containers are judged at its end.

use super::setup::{KEY_FILE, set_up_softhsm};
use crate::e2e::confinement::check_no_secret;
use crate::e2e::report::{require, same};
use crate::e2e::world::World;
use crate::run::Result;

/// Story 14.
pub fn confined(world: &World<'_>) -> Result<()> {
    let softhsm = world.softhsm()?;
    let node = world.fresh_node()?;
    // The process list, while setup has the PINs and the password at hand.
    let mut lists = String::new();
    let setup = std::thread::scope(|scope| {
        let setup = scope.spawn(|| set_up_softhsm(&node));
        while !setup.is_finished() {
            for container in [&node, &softhsm] {
                lists.push_str(&container.processes()?);
            }
        }
        setup
            .join()
            .unwrap_or_else(|_| Err("setup panicked".to_owned()))
    });
    setup?;
    require(lists.contains("trustpointctl --format json setup"), || {
        format!("setup was in no process list: {lists}")
    })?;
    node.restart()?;
    node.expect_page("ready")?;
    for container in [&node, &softhsm] {
        lists.push_str(&container.processes()?);
        let (stdout, stderr) = container.logs()?;
        lists.push_str(&stdout);
        lists.push_str(&stderr);
    }
    // What nginx was started with; its own process list hides it.
    let environment = node.exec_text(&["trustpointctl", "startup", "--", "printenv"])?;
    require(
        environment.contains("TRUSTPOINT_DEK_FILE=/run/trustpoint/dek"),
        || format!("nginx does not hear of the DEK: {environment:?}"),
    )?;
    lists.push_str(&environment);
    check_no_secret(&node.name, "process list, log or environment", &lists)?;
    let key = node.exec_text(&["cat", KEY_FILE])?;
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        require(!lists.contains(line), || {
            "the private key is in the process list, log or environment".to_owned()
        })?;
    }
    for container in [&node, &softhsm] {
        same(
            "the user",
            container.exec_text(&["id", "-u"])?.as_str(),
            "10001",
        )?;
        let status = container.exec_text(&["cat", "/proc/1/status"])?;
        for line in [
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            require(status.contains(line), || {
                format!("{} lacks {line:?}: {status}", container.name)
            })?;
        }
        let written = container.exec(&["touch", "/usr/written"])?;
        require(!written.status.success(), || {
            format!("the root file system of {} can be written", container.name)
        })?;
    }
    let mode = node.exec_text(&["stat", "-L", "-c", "%a %u", KEY_FILE])?;
    same("mode and owner of the key", mode.as_str(), "600 10001")?;
    let mode = node.exec_text(&["stat", "-c", "%a %u", "/run/trustpoint/dek"])?;
    same("mode and owner of the DEK", mode.as_str(), "600 10001")?;
    node.await_healthy()
}
