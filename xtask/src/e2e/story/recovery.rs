//! The token is lost, or everything but a backup: stories 5 and 6.

use super::setup::{ready_softhsm, ready_software, recover};
use crate::e2e::report::{require, same};
use crate::e2e::world::{PASSWORD_FILE, WRONG_PASSWORD_FILE, World};
use crate::run::Result;

/// Story 5.
pub fn token_lost(world: &World<'_>) -> Result<()> {
    let softhsm = world.softhsm()?;
    let (node, first) = ready_softhsm(world, &world.spec())?;
    node.stop()?;
    softhsm.remove()?;
    world.lose_volume("tokens")?;
    let _softhsm = world.softhsm()?;

    for _ in 0..2 {
        node.start()?;
        let page = node.expect_page("recovery_required")?;
        require(page.fingerprint != first, || {
            "the sealed credential is served although its DEK is lost".to_owned()
        })?;
        let report = node.report()?;
        report.expect("/outcome", "recovery_required")?;
        report.expect(
            "/restore_scenario",
            "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
        )?;
        report.expect("/tls/source", "temporary")?;
        node.ctl(&["status"])?.expect(11)?;
        let check = node.exec(&["healthy"])?;
        same("the exit code of the check", check.status.code(), Some(1))?;
        same(
            "what the check says",
            String::from_utf8_lossy(&check.stdout).as_ref(),
            "recovery_required: open the page, or type `trustpointctl recover`\n",
        )?;
        node.stop()?;
    }
    node.start()?;
    node.expect_page("recovery_required")?;
    let before = world.contents(&["data", "wizard", "tokens"])?;
    let wrong = ["recover", "--backup-password-file", WRONG_PASSWORD_FILE];
    let ran = node.ctl(&wrong)?.expect(77)?;
    ran.report.expect("/error/kind", "denied")?;
    same(
        "the volumes",
        world.contents(&["data", "wizard", "tokens"])?,
        before,
    )?;
    node.expect_page("recovery_required")?;

    let ran = recover(&node)?;
    same(
        "the fingerprint of recover",
        ran.report.fingerprint(),
        &first,
    )?;
    node.expect_page_with("ready", &first)?;
    node.restart()?;
    node.expect_page_with("ready", &first)
}

const BACKUP: &str = "/var/backups/trustpoint/node.backup";

/// Story 6.
pub fn all_lost(world: &World<'_>) -> Result<()> {
    let (node, first) = ready_software(world, &world.software_spec())?;
    node.ctl(&["backup", "create", BACKUP])?.expect(0)?;
    node.remove()?;
    lose(world, &["data", "wizard"])?;
    let node = world.node(&world.software_spec())?;
    node.start()?;
    node.expect_page("setup_required")?;
    node.ctl(&["backup", "restore", BACKUP])?.expect(0)?;
    node.restart()?;
    node.expect_page_with("ready", &first)?;
    node.exec_text(&["rm", BACKUP])?;
    node.remove()?;
    lose(world, &["data", "wizard"])?;

    let softhsm = world.softhsm()?;
    let (node, first) = ready_softhsm(world, &world.spec())?;
    node.ctl(&["backup", "create", BACKUP])?.expect(0)?;
    let verify = ["backup", "verify", BACKUP, "--backup-password-file"];
    node.ctl(&[&verify[..], &[PASSWORD_FILE]].concat())?
        .expect(0)?;
    node.ctl(&[&verify[..], &[WRONG_PASSWORD_FILE]].concat())?
        .expect(77)?;
    node.remove()?;
    softhsm.remove()?;
    lose(world, &["data", "wizard", "tokens"])?;
    let _softhsm = world.softhsm()?;
    let node = world.fresh_node()?;
    node.ctl(&["backup", "restore", BACKUP])?.expect(0)?;
    node.restart()?;
    let page = node.expect_page("recovery_required")?;
    require(page.fingerprint != first, || {
        "the sealed credential is served although its DEK is out of reach".to_owned()
    })?;
    recover(&node)?;
    node.expect_page_with("ready", &first)?;
    node.restart()?;
    node.expect_page_with("ready", &first)
}

fn lose(world: &World<'_>, volumes: &[&str]) -> Result<()> {
    volumes
        .iter()
        .try_for_each(|volume| world.lose_volume(volume))
}
