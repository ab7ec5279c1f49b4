//! The token is out of reach: stories 4 and 15.

use std::time::Duration;

use super::setup::{ready_softhsm, set_up_softhsm};
use crate::e2e::container::Container;
use crate::e2e::pki::Authority;
use crate::e2e::report::{require, same};
use crate::e2e::world::{Spec, World};
use crate::run::Result;

const WAIT: Duration = Duration::from_secs(6);
const ENVIRONMENT: &[&str] = &["TRUSTPOINT_HSM_WAIT=6s"];

/// The longest that it pauses between two looks: there is no further one where less is left.
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// What a start without its token may take beyond `hsm.wait`: two cores, several stories.
const BOUND: Duration = Duration::from_secs(30);

const KEPT: &[&str] = &["data", "wizard", "tokens"];

/// Story 4.
pub fn outage(world: &World<'_>) -> Result<()> {
    let softhsm = world.softhsm()?;
    let spec = Spec {
        environment: ENVIRONMENT,
        ..world.spec()
    };
    let (node, first) = ready_softhsm(world, &spec)?;
    node.stop()?;

    softhsm.stop()?;
    let before = world.contents(KEPT)?;
    let time = node.start_to_end(69, BOUND)?;
    require(time + LAST_PAUSE + Duration::from_secs(1) >= WAIT, || {
        format!("the start waited for {time:?} only")
    })?;
    expect_unavailable(&node)?;
    same("the volumes", world.contents(KEPT)?, before.clone())?;

    node.start()?;
    std::thread::sleep(Duration::from_millis(500));
    same("the exit code of a start that waits", node.ended()?, None)?;
    softhsm.start()?;
    node.expect_page_with("ready", &first)?;
    node.stop()?;

    let before = world.contents(KEPT)?;
    softhsm.pause()?;
    let time = node.start_to_end(69, BOUND)?;
    world.note(format!(
        "paused token: given up after {:.1} s",
        time.as_secs_f64()
    ));
    expect_unavailable(&node)?;
    softhsm.unpause()?;
    same("the volumes", world.contents(KEPT)?, before)?;
    node.start()?;
    node.expect_page_with("ready", &first)
}

fn expect_unavailable(node: &Container<'_>) -> Result<()> {
    let report = node.report()?;
    report.expect("/error/kind", "hsm_unavailable")?;
    report.expect("/outcome", "failed")
}

/// Story 15: the token over TCP with mutual TLS.
pub fn tcp(world: &World<'_>) -> Result<()> {
    let _softhsm = world.softhsm()?;
    let ours = Authority::new()?;
    let theirs = Authority::new()?;
    let server = create_server(world, &ours)?;
    server.start()?;
    let client = create_client(world, "client", &server.name, &ours, &ours)?;
    client.start()?;
    let daemon = format!("TRUSTPOINT_HSM_DAEMON=tcp://{}:5657", server.name);
    let environment = [ENVIRONMENT, &[daemon.as_str()]].concat();
    let spec = Spec {
        socket: "client",
        environment: &environment,
        ..world.spec()
    };
    let node = world.node(&spec)?;
    node.start()?;
    let first = node.expect_page("setup_required")?.fingerprint;
    set_up_softhsm(&node)?;
    node.restart()?;
    node.expect_page_with("ready", &first)?;
    node.stop()?;

    // A certificate of somebody else's authority opens nothing.
    let before = world.contents(KEPT)?;
    let stranger = create_client(world, "stranger", &server.name, &ours, &theirs)?;
    stranger.start()?;
    let refused = world.node(&Spec {
        socket: "stranger",
        ..spec.clone()
    })?;
    refused.start_to_end(69, BOUND)?;
    expect_unavailable(&refused)?;
    same("the volumes", world.contents(KEPT)?, before)?;

    server.stop()?;
    node.start()?;
    std::thread::sleep(Duration::from_millis(500));
    same("the exit code of a start that waits", node.ended()?, None)?;
    server.start()?;
    node.expect_page_with("ready", &first)
}

/// The end of the TLS connection beside SoftHSM.
fn create_server<'a>(world: &World<'a>, authority: &Authority) -> Result<Container<'a>> {
    let name = world.next_name("tls");
    let issued = authority.issue(&[&name])?;
    let pem = issued.certificate_pem + &authority.chain_pem() + &issued.key_pem;
    provide_pem(world, "tls", &pem, &authority.root_pem())?;
    let sockets = format!("{}:/run/p11-kit", world.volume("socket")?);
    world.sidecar(
        "tls",
        &[&sockets],
        &[
            "OPENSSL-LISTEN:5657,fork,reuseaddr,cert=/run/tls/own.pem,cafile=/run/tls/ca.pem,verify=1",
            "UNIX-CONNECT:/run/p11-kit/pkcs11",
        ],
    )
}

/// The end of the TLS connection beside the node: it trusts `authority` and shows a certificate of
/// `own`.
fn create_client<'a>(
    world: &World<'a>,
    name: &str,
    server: &str,
    authority: &Authority,
    own: &Authority,
) -> Result<Container<'a>> {
    let issued = own.issue(&[name])?;
    let pem = issued.certificate_pem + &own.chain_pem() + &issued.key_pem;
    provide_pem(world, name, &pem, &authority.root_pem())?;
    let sockets = format!("{}:/run/p11-kit", world.volume(name)?);
    let there =
        format!("OPENSSL:{server}:5657,cert=/run/tls/own.pem,cafile=/run/tls/ca.pem,verify=1");
    world.sidecar(
        name,
        &[&sockets],
        &[
            "UNIX-LISTEN:/run/p11-kit/pkcs11,fork,unlink-early,mode=0600",
            &there,
        ],
    )
}

/// `own.pem` and `ca.pem` in the volume `NAME-pem`.
fn provide_pem(world: &World<'_>, name: &str, own: &str, ca: &str) -> Result<()> {
    let volume = format!("{name}-pem");
    let script = format!(
        "umask 277; cd /v/{volume}; cat >all; sed '/^====$/,$d' all >own.pem; \
         sed '1,/^====$/d' all >ca.pem; rm all; chown 10001:10001 *.pem"
    );
    let input = format!("{own}====\n{ca}");
    world
        .by_hand("0", &[&volume], &script, input.as_bytes())
        .map(drop)
}
