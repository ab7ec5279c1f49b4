//! A new certificate under load: story 13.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::setup::ready_softhsm;
use crate::e2e::client;
use crate::e2e::container::Container;
use crate::e2e::pki::Authority;
use crate::e2e::report::{require, same};
use crate::e2e::world::World;
use crate::run::Result;

const CLIENTS: usize = 3;
/// Fewest new certificates, however fast the handshakes are.
const CHANGES: usize = 4;

/// Story 13.
pub fn rolling(world: &World<'_>) -> Result<()> {
    let _softhsm = world.softhsm()?;
    let (node, first) = ready_softhsm(world, &world.spec())?;
    let address = node.address()?;
    let wanted = world.stage.times(10_000);
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (served, seen) = std::thread::scope(|scope| {
        let shake_hands = || {
            let mut seen = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                match client::handshake(address) {
                    Ok(fingerprint) => seen.insert(fingerprint),
                    Err(message) => {
                        stop.store(true, Ordering::Relaxed);
                        return Err(format!("a handshake failed: {message}"));
                    }
                };
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(seen)
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(shake_hands)).collect();
        let is_over = |served: usize| {
            let is_enough = served >= CHANGES && done.load(Ordering::Relaxed) >= wanted;
            is_enough || stop.load(Ordering::Relaxed)
        };
        let served = replace_until(world, &node, is_over);
        stop.store(true, Ordering::Relaxed);
        let mut seen = BTreeSet::new();
        for client in clients {
            let result = client
                .join()
                .unwrap_or_else(|_| Err("a client panicked".to_owned()));
            seen.extend(result?);
        }
        Ok::<_, String>((served?, seen))
    })?;
    let mut allowed = served.clone();
    allowed.insert(first);
    require(seen.is_subset(&allowed), || {
        format!("clients saw {seen:?}, and served were {allowed:?}")
    })?;
    world.note(format!(
        "{} handshakes, none failed; {} certificates put to use, {} seen",
        done.into_inner(),
        served.len(),
        seen.len()
    ));
    require(seen.len() > CHANGES, || {
        "too few of the certificates were seen".to_owned()
    })
}

/// Renews and imports in turn; every certificate that was put to use.
fn replace_until(
    world: &World<'_>,
    node: &Container<'_>,
    is_over: impl Fn(usize) -> bool,
) -> Result<BTreeSet<String>> {
    let authority = Authority::new()?;
    let mut served = BTreeSet::new();
    while !is_over(served.len()) {
        let renewed = node.ctl(&["tls", "renew"])?.expect(0)?;
        same(
            "the reload",
            renewed.report.step("reload_web_server"),
            "done",
        )?;
        node.await_fingerprint(renewed.report.fingerprint())?;
        served.insert(renewed.report.fingerprint().to_owned());

        let issued = authority.issue(&["127.0.0.1"])?;
        provide(world, &issued.key_pem, "key.pem")?;
        provide(world, &issued.certificate_pem, "cert.pem")?;
        provide(world, &authority.chain_pem(), "chain.pem")?;
        let mut command = vec!["tls", "import", "--key", "/var/backups/trustpoint/key.pem"];
        command.extend(["--cert", "/var/backups/trustpoint/cert.pem"]);
        command.extend(["--chain", "/var/backups/trustpoint/chain.pem"]);
        let imported = node.ctl(&command)?.expect(0)?;
        same(
            "the fingerprint of the import",
            imported.report.fingerprint(),
            &issued.fingerprint,
        )?;
        node.await_fingerprint(&issued.fingerprint)?;
        await_trusted(node, &authority)?;
        served.insert(issued.fingerprint);
    }
    Ok(served)
}

/// Waits until a client that trusts the root alone takes the whole chain: nginx's old worker may
/// take a last connection after the new one's first.
fn await_trusted(node: &Container<'_>, authority: &Authority) -> Result<()> {
    let address = node.address()?;
    let root = authority.root();
    let mut result = client::trusting(address, &root);
    for _ in 0..50 {
        if result.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        result = client::trusting(address, &root);
    }
    result
}

fn provide(world: &World<'_>, text: &str, name: &str) -> Result<()> {
    let script = format!("umask 177; cat >/v/backups/{name}");
    world
        .by_hand("10001", &["backups"], &script, text.as_bytes())
        .map(drop)
}
