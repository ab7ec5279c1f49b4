//! The server of a fleet is out of reach: story 20.

use std::time::{Duration, Instant};

use crate::e2e::client;
use crate::e2e::container::Container;
use crate::e2e::fleet::Fleet;
use crate::e2e::report::{require, same};
use crate::e2e::world::World;
use crate::run::Result;

/// A start whose connection was cut may end, and be started again by the engine.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// How long a start must at least go on that has to wait.
const WAITS: Duration = Duration::from_millis(1500);

/// Story 20.
pub fn fleet_faults(world: &World<'_>) -> Result<()> {
    let Some((fleet, served)) = Fleet::ready(world)? else {
        return Ok(());
    };
    let kept = fleet.kept()?;
    fleet.typed("docker-compose up --detach standby")?;
    cut_off(world, &fleet, &served)?;
    for crashes in [false, true, false] {
        restart_the_server(&fleet, &served, crashes)?;
    }
    fleet.expect_kept(&kept)?;
    promote(fleet, &served)
}

/// The network of a node goes while it starts: after it has read the database, before it writes.
fn cut_off(world: &World<'_>, fleet: &Fleet<'_>, served: &str) -> Result<()> {
    let node = &fleet.nodes[1];
    let token = fleet.project.service("softhsm-2")?;
    let network = format!("{}_default", world.prefix());
    let tell = |verb: &str| {
        let engine = &world.stage.engine;
        engine
            .text(&["network", verb, &network, &node.name])
            .map(drop)
    };
    node.stop()?;
    token.pause()?;
    node.start()?;
    await_sql(
        fleet,
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name LIKE 'trustpointctl % on node-2' AND state = 'idle'",
    )?;
    tell("disconnect")?;
    token.unpause()?;
    std::thread::sleep(WAITS);
    expect_waiting(node)?;
    tell("connect")?;
    let begin = Instant::now();
    expect_ready(node, served)?;
    world.note(format!(
        "cut off: ready {:.1} s after the network was back",
        begin.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Its start goes on, and serves no page.
fn expect_waiting(node: &Container<'_>) -> Result<()> {
    same("the exit code of a start that waits", node.ended()?, None)?;
    same("the number of starts that failed", node.restarts()?, 0)?;
    let page = node.address().and_then(client::get);
    require(page.is_err(), || {
        format!("{} serves its page already: {page:?}", node.name)
    })
}

/// It may take longer than usual.
fn expect_ready(node: &Container<'_>, served: &str) -> Result<()> {
    let seen = node.page_within(LIMIT)?;
    same("the page's state", seen.state.as_str(), "ready")?;
    same("the fingerprint", seen.fingerprint.as_str(), served)
}

/// The server ends and comes back while the nodes start.
fn restart_the_server(fleet: &Fleet<'_>, served: &str, crashes: bool) -> Result<()> {
    fleet.each(Container::kill)?;
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            if crashes {
                fleet.server.kill()
            } else {
                fleet.server.stop()
            }
            .and_then(|()| fleet.server.start())
        });
        let nodes = fleet.each(Container::start);
        let server = server.join();
        server.unwrap_or_else(|_| Err("a thread of the story panicked".to_owned()))?;
        nodes
    })?;
    fleet
        .nodes
        .iter()
        .try_for_each(|node| expect_ready(node, served))
}

/// The server is lost for good, silent at first, and the nodes find its standby by the other host of
/// their URL.
fn promote(fleet: Fleet<'_>, served: &str) -> Result<()> {
    fleet.each(Container::stop)?;
    let kept = fleet.kept()?;
    await_sql(
        &fleet,
        "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()",
    )?;
    fleet.server.pause()?;
    fleet.each(Container::start)?;
    std::thread::sleep(WAITS);
    fleet.nodes.iter().try_for_each(expect_waiting)?;
    fleet.typed("docker-compose exec -T standby pg_ctl promote")?;
    let lost = fleet.server;
    let fleet = Fleet {
        server: fleet.project.service("standby")?,
        ..fleet
    };
    fleet.expect_ready(served)?;
    fleet.expect_kept(&kept)?;
    lost.kill()?;
    // It takes writes, which the other nodes see.
    let renewed = fleet.nodes[0].ctl(&["tls", "renew"])?.expect(0)?;
    let renewed = renewed.report.fingerprint();
    require(renewed != served, || {
        format!("the new credential is the old one: {renewed}")
    })?;
    fleet.each(Container::restart)?;
    fleet.expect_ready(renewed)
}

/// Waits until what is counted on the server is there.
fn await_sql(fleet: &Fleet<'_>, count: &str) -> Result<()> {
    let begin = Instant::now();
    while fleet.sql(count)? == "0" {
        require(begin.elapsed() < LIMIT, || {
            format!("after {LIMIT:?} still nothing: {count}")
        })?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}
