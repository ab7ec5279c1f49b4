//! From a file to a server and back, as the document has it: story 22.

use super::setup::set_up_softhsm;
use crate::e2e::fleet::Fleet;
use crate::e2e::report::{require, same};
use crate::e2e::world::World;
use crate::run::{self, Result};
use crate::runbook::remedies;

/// Story 22.
pub fn moving(world: &World<'_>) -> Result<()> {
    let Some(project) = Fleet::project(world)? else {
        return Ok(());
    };
    let text = run::root()?.join("docs/moving.md");
    let text = std::fs::read_to_string(&text).map_err(|error| format!("{text:?}: {error}"))?;
    let blocks = remedies(&text)?;
    let way = |from: &str| {
        let blocks = blocks.iter().filter(|block| block.node == from);
        let scripts: Vec<_> = blocks.map(|block| block.script.as_str()).collect();
        require(!scripts.is_empty(), || format!("no block is for {from:?}"))?;
        Ok::<_, String>(scripts.join("\n"))
    };

    let node = project.up()?;
    node.expect_page("setup_required")?;
    set_up_softhsm(&node)?;
    let first = node.expect_page("ready")?.fingerprint;
    let installation = project.by_hand("sql 'SELECT installation_id FROM installation'")?;

    project.typed(&way("on SQLite")?)?;
    node.expect_page_with("ready", &first)?;
    let fleet = Fleet::of(project)?;
    same(
        "the installation",
        fleet
            .sql("SELECT installation_id FROM trustpointctl.installation")?
            .as_str(),
        installation.trim(),
    )?;
    for node in &fleet.nodes {
        node.page()?;
        node.await_fingerprint(&first)?;
    }
    fleet.expect_ready(&first)?;
    // What is new on the server has to come back with it.
    let second = node.ctl(&["tls", "renew"])?.expect(0)?;
    let second = second.report.fingerprint();
    require(second != first, || format!("the new credential is {first}"))?;

    fleet.project.typed(&way("on PostgreSQL")?)?;
    fleet.server.stop()?;
    node.restart()?;
    node.expect_page_with("ready", second)
}
