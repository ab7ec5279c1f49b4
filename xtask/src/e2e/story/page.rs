//! The image's own page, in a browser: story 23.

use crate::e2e::container::{Container, PORT};
use crate::e2e::report::{require, same};
use crate::e2e::world::{PASSWORD, Spec, World};
use crate::run::{self, Result};

/// PID 1 of the node.
const NAME: [&str; 2] = ["cat", "/proc/1/comm"];
const CODE_FILE: &str = "/run/trustpoint/page-code";

/// Tests of `app-cli` in a browser: whoever fills in the form, or has it look for the token again.
const ANSWERS: &str = "elsewhere::an_operator_gets_the_node_ready";
const LOOKS_AGAIN: &str = "elsewhere::an_operator_has_brought_the_token_back";

/// Story 23.
pub fn page(world: &World<'_>) -> Result<()> {
    if !run::has_program("chromedriver") {
        return world.skip("chromedriver is not here; Debian's package is chromium-driver");
    }
    let softhsm = world.softhsm()?;
    let node = world.node(&Spec {
        // As the image starts by itself.
        command: &[],
        ..world.spec()
    })?;
    node.start()?;
    let first = node.expect_page("setup_required")?.fingerprint;
    walk_through(world, &node, ANSWERS)?;
    node.expect_page_with("ready", &first)?;

    // Another volume was mounted by mistake.
    node.stop()?;
    softhsm.remove()?;
    let other = world.softhsm_on("other-tokens", "socket")?;
    node.start()?;
    node.expect_page("recovery_required")?;
    other.remove()?;
    let softhsm = world.softhsm()?;
    walk_through(world, &node, LOOKS_AGAIN)?;
    node.expect_page_with("ready", &first)?;

    node.stop()?;
    softhsm.remove()?;
    world.lose_volume("tokens")?;
    let _softhsm = world.softhsm()?;
    node.start()?;
    node.expect_page("recovery_required")?;
    walk_through(world, &node, ANSWERS)?;
    node.expect_page_with("ready", &first)?;

    // Beside nginx: a load balancer hears of it, and the next start serves the page.
    node.ctl(&["setup", "--reset"])?.expect(0)?;
    same(
        "what nginx says of a node that was reset",
        node.health()?.as_str(),
        "setup_required",
    )?;
    node.restart()?;
    node.expect_page("setup_required")?;
    // As PID 1, which no signal ends by itself.
    node.stop()?;
    same(
        "the exit code of the page after SIGTERM",
        node.ended()?,
        Some(128 + 15),
    )
}

/// Has an operator with a browser get the node ready, as the test of this name does. It becomes nginx in
/// the same process.
fn walk_through(world: &World<'_>, node: &Container<'_>, test: &str) -> Result<()> {
    let fingerprint = node.page()?.fingerprint;
    same("PID 1", node.exec_text(&NAME)?.as_str(), "trustpointctl")?;
    let (log, said) = node.logs()?;
    let log = log + &said;
    let after = |mark: &str| {
        let last = log.lines().rev().find_map(|line| line.split_once(mark));
        let last = last.map(|(_, rest)| rest.trim().to_owned());
        last.ok_or_else(|| format!("the log does not say {mark:?}: {log}"))
    };
    same(
        "the address in the log",
        after(" page: ")?.as_str(),
        "https://0.0.0.0:8443/",
    )?;
    same(
        "the fingerprint in the log",
        after("certificate, SHA-256: ")?.as_str(),
        &fingerprint,
    )?;
    let code = node.exec_text(&["cat", CODE_FILE])?;
    same("the code in the log", after("access code: ")?, code.clone())?;
    let mut browser = run::cargo();
    browser
        .args(["test", "--quiet", "--package", "app-cli"])
        .args(["--test", "browser", "--", "--ignored", "--exact", test])
        .current_dir(run::root()?)
        .env("BROWSER_TEST_CODE", code)
        .env("BROWSER_TEST_FINGERPRINT", fingerprint)
        .env("BROWSER_TEST_PASSWORD", PASSWORD);
    let address = match node.network()? {
        Some(network) => {
            browser.env("BROWSER_TEST_NETWORK", network);
            format!("127.0.0.1:{PORT}")
        }
        None => node.address()?.to_string(),
    };
    browser.env("BROWSER_TEST_PAGE", format!("https://{address}/"));
    world.stage.engine.supervise(browser)?;
    node.await_page("ready")?;
    same("PID 1", node.exec_text(&NAME)?.as_str(), "nginx")?;
    require(
        !node.exec(&["test", "-e", CODE_FILE])?.status.success(),
        || format!("{CODE_FILE} is still there"),
    )
}
