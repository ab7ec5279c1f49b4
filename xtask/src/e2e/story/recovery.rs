//! The token is lost: story 5.

use super::setup::ready_softhsm;
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
        let page = node.expect_page("recovery")?;
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
        node.stop()?;
    }
    node.start()?;
    node.expect_page("recovery")?;
    let before = world.contents(&["data", "wizard", "tokens"])?;
    let wrong = ["recover", "--backup-password-file", WRONG_PASSWORD_FILE];
    let ran = node.ctl(&wrong)?.expect(77)?;
    ran.report.expect("/error/kind", "denied")?;
    same(
        "the volumes",
        world.contents(&["data", "wizard", "tokens"])?,
        before,
    )?;
    node.expect_page("recovery")?;

    let right = ["recover", "--backup-password-file", PASSWORD_FILE];
    let ran = node.ctl(&right)?.expect(0)?;
    same(
        "the fingerprint of recover",
        ran.report.fingerprint(),
        &first,
    )?;
    // nginx was reloaded; its old worker may answer once more.
    node.await_fingerprint(&first)?;
    same("the page's state", node.page()?.state.as_str(), "ready")?;
    node.restart()?;
    node.expect_page_with("ready", &first)
}
