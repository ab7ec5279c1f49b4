//! Volumes that are new, missing or of another storage: stories 7 and 11.

use std::time::Duration;

use super::setup::ready_software;
use crate::e2e::report::{require, same};
use crate::e2e::world::{Spec, World};
use crate::run::Result;

const LIMIT: Duration = Duration::from_secs(30);

/// Story 7.
pub fn volumes(world: &World<'_>) -> Result<()> {
    let (node, first) = ready_software(world, &world.software_spec())?;
    node.stop()?;
    // C9: a new container whose wizard state is the image's own. The first page already has to be
    // the right one.
    let replaced = world.node(&Spec {
        wizard: "new-wizard",
        ..world.software_spec()
    })?;
    replaced.start()?;
    replaced.expect_page_with("ready", &first)?;
    let state = replaced.exec_text(&["ls", "/etc/trustpoint/wizard/state"])?;
    same("the wizard state", state.as_str(), "WIZARD_COMPLETED")?;
    replaced.stop()?;
    // C14: the volume of the database was not mounted.
    let without = world.node(&Spec {
        data: "new-data",
        ..world.software_spec()
    })?;
    without.start_to_end(65, LIMIT)?;
    let report = without.report()?;
    report.expect("/error/kind", "data_corrupt")?;
    require(
        report.text("/error/message").contains("WIZARD_COMPLETED"),
        || format!("the evidence is missing: {}", report.0),
    )?;
    let made = world.contents(&["new-data"])?;
    require(!made.contains("trustpoint.db "), || {
        format!("a database was made: {made}")
    })?;
    // With the volume in its place again nothing has happened.
    node.start()?;
    node.expect_page_with("ready", &first)
}

/// Story 11.
pub fn physical(world: &World<'_>) -> Result<()> {
    let (node, first) = ready_software(world, &world.software_spec())?;
    let refused = node.ctl(&["setup", "--storage", "physical_hsm"])?;
    same("the exit code of setup", refused.code, 13)?;
    node.stop()?;
    world.sql("UPDATE key_storage_config SET storage_type = 'physical_hsm';")?;
    let before = world.contents(&["data", "wizard"])?;
    node.start_to_end(13, LIMIT)?;
    let report = node.report()?;
    report.expect("/outcome", "refused")?;
    report.expect("/error/kind", "storage_unsupported")?;
    report.expect(
        "/restore_scenario",
        "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
    )?;
    same("the volumes", world.contents(&["data", "wizard"])?, before)?;
    world.sql("UPDATE key_storage_config SET storage_type = 'software';")?;
    node.start()?;
    node.expect_page_with("ready", &first)
}
