//! Nodes that share a database, and their upgrade: stories 18 and 19.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::e2e::container::Container;
use crate::e2e::fleet::{Fleet, NODES};
use crate::e2e::image::NEXT_VERSION;
use crate::e2e::report::{Report, require, same};
use crate::e2e::world::World;
use crate::run::Result;

const LIMIT: Duration = Duration::from_secs(30);

/// Story 18.
pub fn fleet(world: &World<'_>) -> Result<()> {
    let Some((fleet, served)) = Fleet::ready(world)? else {
        return Ok(());
    };
    // What setup has sealed is out of the files, or each start would try again.
    same(
        "the mark of a scrub",
        fleet
            .sql("SELECT obj_description('trustpointctl.installation'::regclass)")?
            .as_str(),
        "",
    )?;
    let before = copies(&fleet.nodes[2])?;
    let tokens: BTreeSet<_> = before.iter().map(|copy| copy.text("/serial")).collect();
    same("the number of tokens", tokens.len(), 3)?;

    fleet.nodes[0].ctl(&["keys", "rotate-kek"])?.expect(0)?;
    let after = copies(&fleet.nodes[2])?;
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(old, new)| old.0 != new.0);
    same("the number of copies that changed", changed.count(), 1)?;
    fleet.each(Container::restart)?;
    fleet.expect_ready(&served)?;
    for node in &fleet.nodes {
        node.ctl(&["status"])?.expect(0)?;
    }
    Ok(())
}

/// The copies of the DEK, as a node shows them; in the order of their tokens.
fn copies(node: &Container<'_>) -> Result<Vec<Report>> {
    let shown = node.ctl(&["keys", "show"])?.expect(0)?.report.0;
    let copies = shown
        .pointer("/keys/copies")
        .and_then(|copies| copies.as_array());
    let copies = copies.ok_or_else(|| format!("no copies in {shown}"))?;
    let mut copies: Vec<_> = copies.iter().cloned().map(Report).collect();
    copies.sort_by_key(|copy| copy.text("/serial").to_owned());
    Ok(copies)
}

/// Story 19.
pub fn upgrade(world: &World<'_>) -> Result<()> {
    let Some((fleet, served)) = Fleet::ready(world)? else {
        return Ok(());
    };
    for (number, (node, service)) in fleet.nodes.iter().zip(NODES).enumerate() {
        fleet.typed(&format!(
            "TRUSTPOINT_IMAGE={} docker-compose up --detach --no-deps {service}",
            world.stage.images.next
        ))?;
        node.expect_page_with("ready", &served)?;
        let status = node.ctl(&["status"])?.expect(0)?.report;
        status.expect("/version/current", NEXT_VERSION)?;
        let said = status.0.get("warnings").map(ToString::to_string);
        let said = said.unwrap_or_default();
        for (other, name) in ["node-1", "node-2", "node-3"].iter().enumerate() {
            let is_named = said.contains(&format!("{name} (version "));
            require(is_named == (other > number), || {
                format!("after the upgrade of {service}, of {name} it says: {said}")
            })?;
        }
        if number == 0 {
            // Those of the old version still run, and cannot start again.
            fleet.expect_ready(&served)?;
            fleet.nodes[2].restart()?;
            fleet.nodes[2].await_failure(12, LIMIT)?;
        }
    }
    fleet.expect_ready(&served)
}
