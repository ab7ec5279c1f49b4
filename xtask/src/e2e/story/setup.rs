//! A node is set up: stories 1 to 3.

use crate::e2e::client::Seen;
use crate::e2e::container::{Container, Ran};
use crate::e2e::report::{require, same};
use crate::e2e::world::{PASSWORD_FILE, Spec, World};
use crate::run::Result;

/// Where nginx has its key.
pub const KEY_FILE: &str = "/etc/trustpoint/tls/nginx-tls-server-key.key";

/// The stored form of a DEK that CKM_AES_GCM wrapped: magic, version, format.
const WRAPPED_BY_GCM: &[u8] = b"TPDK\x01\x02";

/// Sets the node up with software storage; it becomes ready by itself.
pub fn set_up_software(node: &Container<'_>) -> Result<Ran> {
    set_up(node, &["--storage", "software"])
}

/// The same with SoftHSM storage and a backup password.
pub fn set_up_softhsm(node: &Container<'_>) -> Result<Ran> {
    set_up_sealed(node, "softhsm")
}

/// The same with any storage that seals the secrets.
pub fn set_up_sealed(node: &Container<'_>, storage: &str) -> Result<Ran> {
    let password = ["--backup-password-file", PASSWORD_FILE];
    set_up(node, &[&["--storage", storage], &password[..]].concat())
}

fn set_up(node: &Container<'_>, options: &[&str]) -> Result<Ran> {
    let ran = node.ctl(&[&["setup"], options].concat())?.expect(0)?;
    node.await_page("ready")?;
    Ok(ran)
}

/// Recovers the node by its backup password; it becomes ready by itself.
pub fn recover(node: &Container<'_>) -> Result<Ran> {
    let recover = ["recover", "--backup-password-file", PASSWORD_FILE];
    let ran = node.ctl(&recover)?.expect(0)?;
    node.await_page("ready")?;
    Ok(ran)
}

/// A node with software storage that is ready, and the fingerprint that it serves.
pub fn ready_software<'a>(world: &World<'a>, spec: &Spec<'_>) -> Result<(Container<'a>, String)> {
    ready(world, spec, set_up_software)
}

/// The same with SoftHSM storage, which has to be there already.
pub fn ready_softhsm<'a>(world: &World<'a>, spec: &Spec<'_>) -> Result<(Container<'a>, String)> {
    ready(world, spec, set_up_softhsm)
}

fn ready<'a>(
    world: &World<'a>,
    spec: &Spec<'_>,
    set_up: fn(&Container<'_>) -> Result<Ran>,
) -> Result<(Container<'a>, String)> {
    let node = world.node(spec)?;
    node.start()?;
    node.expect_page("setup_required")?;
    set_up(&node)?;
    let seen = node.expect_page("ready")?;
    Ok((node, seen.fingerprint))
}

/// Story 1.
pub fn fresh(world: &World<'_>) -> Result<()> {
    let node = world.node(&Spec {
        // As the image starts by itself, with a log for people.
        command: &[],
        options: &[
            "--health-interval=1s",
            "--health-start-period=1s",
            "--health-retries=1",
        ],
        ..world.software_spec()
    })?;
    node.start()?;
    let Seen {
        fingerprint,
        chain,
        page,
        ..
    } = node.expect_page("setup_required")?;
    same("the length of the chain", chain, 1)?;
    require(page.contains("This node is not set up yet"), || {
        format!("the page is {page}")
    })?;
    let (log, _) = node.logs()?;
    let line = format!("SHA-256 fingerprint: {fingerprint}");
    require(log.lines().any(|logged| logged == line), || {
        format!("the log does not say {line:?}")
    })?;
    let status = node.ctl(&["status"])?.expect(10)?;
    same("status", status.report.fingerprint(), &fingerprint)?;
    // podman leaves it to systemd to run the check.
    if world.stage.engine.is_podman() {
        return Ok(());
    }
    let said = node.await_unhealthy()?;
    same(
        "what the health check says",
        said.lines().next(),
        Some("setup_required: open the page, or type `trustpointctl setup`"),
    )
}

/// Story 2.
pub fn software(world: &World<'_>) -> Result<()> {
    let node = world.node(&world.software_spec())?;
    node.start()?;
    let first = node.expect_page("setup_required")?.fingerprint;
    let setup = set_up_software(&node)?;
    same(
        "the fingerprint of setup",
        setup.report.fingerprint(),
        &first,
    )?;
    node.expect_page_with("ready", &first)?;
    node.restart()?;
    node.expect_page_with("ready", &first)?;
    let report = node.report()?;
    report.expect("/startup_scenario", "VERSION_MATCH")?;
    report.expect("/restore_scenario", "RESTORE_SOFTWARE_WIZARD_COMPLETED")?;
    report.expect("/tls/source", "database")?;
    same("the fingerprint of the start", report.fingerprint(), &first)?;
    node.ctl(&["status"])?.expect(0).map(drop)
}

/// Story 3.
pub fn softhsm(world: &World<'_>) -> Result<()> {
    let _softhsm = world.softhsm()?;
    let node = world.fresh_node()?;
    let first = node.page()?.fingerprint;
    let key = node.exec_text(&["cat", KEY_FILE])?;
    // So that the search below is known to find a key where there is one.
    let clear = find_key(&node, &key)?;
    require(clear.is_some(), || {
        "the key of the setup page is not found in the database".to_owned()
    })?;
    set_up_softhsm(&node)?;
    node.expect_page_with("ready", &first)?;
    expect_no_key(&node, &key)?;
    node.restart()?;
    node.expect_page_with("ready", &first)?;
    expect_no_key(&node, &key)?;
    let report = node.report()?;
    report.expect(
        "/restore_scenario",
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED",
    )?;
    report.expect("/outcome", "ready")?;
    let bytes = data_volume(&node)?;
    require(contains(&bytes, WRAPPED_BY_GCM), || {
        "the database holds no DEK that AES_GCM wrapped".to_owned()
    })?;
    node.ctl(&["status"])?.expect(0).map(drop)
}

/// Every byte of the volume of the database, as one archive: database, WAL, journal, snapshots.
fn data_volume(node: &Container<'_>) -> Result<Vec<u8>> {
    let output = node.exec(&["tar", "-C", "/var/lib/trustpoint", "-c", "."])?;
    require(output.status.success(), || {
        String::from_utf8_lossy(&output.stderr).into_owned()
    })?;
    Ok(output.stdout)
}

fn expect_no_key(node: &Container<'_>, key: &str) -> Result<()> {
    match find_key(node, key)? {
        None => Ok(()),
        Some(what) => Err(format!("the private key stands in the database: {what}")),
    }
}

/// What of this key stands in the volume of the database: a line of its PEM, its DER, or the bytes
/// of the secret number alone.
fn find_key(node: &Container<'_>, pem: &str) -> Result<Option<&'static str>> {
    let bytes = data_volume(node)?;
    let der = der_of(pem)?;
    let number = secret_number(&der)?;
    let lines = pem
        .lines()
        .filter(|line| line.len() >= 40 && !line.starts_with("-----"));
    let mut line_found = false;
    for line in lines {
        line_found |= contains(&bytes, line.as_bytes());
    }
    let hexadecimal: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = [
        (line_found, "a line of its PEM"),
        (contains(&bytes, &der), "its DER"),
        (contains(&bytes, number), "its secret number"),
        (
            contains(&bytes, hexadecimal.as_bytes()),
            "its secret number in hexadecimal",
        ),
    ];
    Ok(found
        .iter()
        .find(|(found, _)| *found)
        .map(|(_, what)| *what))
}

fn der_of(pem: &str) -> Result<Vec<u8>> {
    let key = rcgen::KeyPair::from_pem(pem).map_err(|error| format!("the served key: {error}"))?;
    Ok(key.serialize_der())
}

/// The 32 bytes behind the octet string's head in a P-256 key of PKCS#8.
fn secret_number(der: &[u8]) -> Result<&[u8]> {
    const HEAD: &[u8] = &[0x02, 0x01, 0x01, 0x04, 0x20];
    let begin = der
        .windows(HEAD.len())
        .position(|window| window == HEAD)
        .ok_or("the served key is no P-256 key")?
        + HEAD.len();
    der.get(begin..begin + 32)
        .ok_or_else(|| "the served key is cut short".to_owned())
}

fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_number_of_a_key_is_found() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = der_of(&key.serialize_pem()).unwrap();
        let number = secret_number(&der).unwrap();
        assert_eq!(number.len(), 32);
        assert!(contains(&der, number));
        assert!(!contains(key.public_key_raw(), number));
        assert!(secret_number(b"no key").is_err());
    }
}
