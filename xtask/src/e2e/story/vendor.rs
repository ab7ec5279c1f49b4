//! A token other than SoftHSM, by the repository's compose.kryoptic.yaml: story 17.

use std::time::Duration;

use super::setup::{recover, set_up_sealed};
use crate::e2e::container::Container;
use crate::e2e::project::Project;
use crate::e2e::report::{require, same};
use crate::e2e::world::{PIN, SO_PIN, World};
use crate::run::Result;
use crate::test;
use crate::token::Kind;

/// What the document has an operator name once.
const COMPOSE: &str =
    "export COMPOSE_FILE=containers/compose.yaml:containers/compose.kryoptic.yaml";

const LIMIT: Duration = Duration::from_secs(60);

/// Story 17.
pub fn vendor(world: &World<'_>) -> Result<()> {
    let Some(compose) = Project::compose_of_docker(world)? else {
        return Ok(());
    };
    // This image has SQLite's library, as the file's TOOLS asks for.
    let project = Project::create(world, compose)?.with_image(&world.stage.images.tools);
    test::build_kryoptic()?;
    let module = project.path("containers/hsm/libkryoptic.so");
    std::fs::copy(Kind::Kryoptic.module(), &module)
        .map_err(|error| format!("{}: {error}", module.display()))?;
    plug_in_a_new_token(&project)?;
    let first = serial(&project)?;

    let node = project.up_by(&format!(
        "{COMPOSE}\nTRUSTPOINT_HSM_WAIT=10s docker-compose up --detach --no-deps trustpoint"
    ))?;
    node.expect_page("setup_required")?;
    let check = node.ctl(&["hsm", "check", "--login"])?.expect(0)?;
    check.report.expect("/token/device/serial", &first)?;
    let ran = set_up_sealed(&node, "physical_hsm")?;
    let certificate = ran.report.fingerprint().to_owned();
    node.restart()?;
    node.expect_page_with("ready", &certificate)?;

    pull_out_and_back(&project, &node)?;
    node.expect_page_with("ready", &certificate)?;

    node.stop()?;
    project.on_hsm_folder("mv slot/token slot/lost")?;
    plug_in_a_new_token(&project)?;
    let second = serial(&project)?;
    require(first != second, || format!("both tokens are {first}"))?;
    node.start()?;
    node.expect_page("recovery_required")?;
    recover(&node)?;
    node.expect_page_with("ready", &certificate)?;
    node.restart()?;
    node.expect_page_with("ready", &certificate)?;
    let said = project.typed(&format!("{COMPOSE}\ntrustpointctl --format json status"))?;
    require(said.contains(&second), || said.clone())
}

/// The start fails as long as the token is away, and Docker starts it again until it is back.
fn pull_out_and_back(project: &Project<'_>, node: &Container<'_>) -> Result<()> {
    node.stop()?;
    let kept = project.by_hand("sha256sum /var/lib/trustpoint/trustpoint.db")?;
    project.on_hsm_folder("mv slot/token slot/pulled")?;
    node.start()?;
    node.await_failure(69, LIMIT)?;
    same(
        "the database",
        project.by_hand("sha256sum /var/lib/trustpoint/trustpoint.db")?,
        kept,
    )?;
    project.on_hsm_folder("mv slot/pulled slot/token")?;
    node.page_within(LIMIT).map(drop)
}

/// What the token's security officer does.
fn plug_in_a_new_token(project: &Project<'_>) -> Result<()> {
    project.on_hsm_folder("install -d -o 10001 -g 10001 -m 0700 slot slot/token")?;
    let label = "--init-token --slot 0 --label Trustpoint-SoftHSM";
    officer(project, &format!("{label} --so-pin {SO_PIN}"))?;
    let login = format!("--login --login-type so --so-pin {SO_PIN}");
    officer(
        project,
        &format!("--slot 0 {login} --init-pin --new-pin {PIN}"),
    )
    .map(drop)
}

/// The serial number of the token, as the officer sees it.
fn serial(project: &Project<'_>) -> Result<String> {
    let slots = officer(project, "--list-token-slots")?;
    let line = slots.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "serial num").then(|| value.trim().to_owned())
    });
    line.ok_or_else(|| format!("no serial number in {slots}"))
}

fn officer(project: &Project<'_>, arguments: &str) -> Result<String> {
    let run = "docker-compose run --rm -T officer";
    project.typed(&format!("{COMPOSE}\n{run} {arguments}"))
}
