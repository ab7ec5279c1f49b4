//! A later version and back: story 8.

use std::time::Duration;

use super::setup::ready_softhsm;
use crate::e2e::image::NEXT_VERSION;
use crate::e2e::report::{require, same};
use crate::e2e::world::{Spec, World};
use crate::run::Result;

const LIMIT: Duration = Duration::from_secs(30);
const KEPT: &[&str] = &["data", "wizard", "tokens"];

/// Story 8.
pub fn upgrade(world: &World<'_>) -> Result<()> {
    let _softhsm = world.softhsm()?;
    let (old, first) = ready_softhsm(world, &world.spec())?;
    old.stop()?;

    let new = world.node(&Spec {
        image: &world.stage.images.next,
        ..world.spec()
    })?;
    new.start()?;
    new.expect_page_with("ready", &first)?;
    let report = new.report()?;
    report.expect("/startup_scenario", "VERSION_UPGRADE")?;
    report.expect("/version/current", NEXT_VERSION)?;
    same("the snapshot", report.step("snapshot_database"), "done")?;
    same("the migration", report.step("migrate_database"), "done")?;
    new.restart()?;
    new.expect_page_with("ready", &first)?;
    new.report()?.expect("/startup_scenario", "VERSION_MATCH")?;
    new.stop()?;

    let before = world.contents(KEPT)?;
    old.start_to_end(12, LIMIT)?;
    let report = old.report()?;
    report.expect("/outcome", "refused")?;
    report.expect("/error/kind", "version_downgrade")?;
    same("the volumes", world.contents(KEPT)?, before)?;

    // The hint names the snapshot that fits.
    let hint = report.text("/error/hint").to_owned();
    let snapshot = hint
        .split_whitespace()
        .find_map(|word| word.strip_prefix("/var/lib/trustpoint/"))
        .map(|path| path.trim_end_matches([',', '.', ';']))
        .ok_or_else(|| format!("the hint names no snapshot: {hint}"))?;
    require(!snapshot.contains('\''), || {
        format!("the name {snapshot:?}")
    })?;
    let script = format!(
        "cd /v/data && rm -f trustpoint.db-wal trustpoint.db-shm trustpoint.db-journal && \
         cp '{snapshot}' trustpoint.db"
    );
    world.by_hand("10001", &["data"], &script, b"")?;
    old.start()?;
    old.expect_page_with("ready", &first)?;
    old.report()?.expect("/startup_scenario", "VERSION_MATCH")
}
