//! C15: a verified snapshot before an upgrade.

use std::fs;
use std::path::PathBuf;

use super::text;
use crate::sandbox::{Sandbox, tool};

fn snapshots(sandbox: &Sandbox) -> Vec<PathBuf> {
    let directory = sandbox.root("var/lib/trustpoint/snapshots");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn c15_an_upgrade_keeps_what_it_upgrades() {
    let mut sandbox = Sandbox::softhsm();
    let old = sandbox.sql("SELECT version FROM app_version");
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
    assert_eq!(run.outcome(), "ready");
    let [snapshot] = snapshots(&sandbox).try_into().unwrap();
    let ask = |question| tool("sqlite3", [text(&snapshot), question]);
    assert_eq!(ask("PRAGMA integrity_check").trim(), "ok");
    assert_eq!(ask("SELECT version FROM app_version"), old);
    assert_eq!(ask("SELECT count(*) FROM pkcs11_token").trim(), "1");

    sandbox.unset("TRUSTPOINT_APP_VERSION");
    let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    assert!(said.contains(text(&snapshot)), "names what fits: {said}");
}

#[test]
fn c15_the_last_five_snapshots_are_kept() {
    let mut sandbox = Sandbox::software();
    for version in 1..=8 {
        sandbox.set("TRUSTPOINT_APP_VERSION", &format!("9.0.{version}"));
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
        sandbox.run(&["startup"]).expect(0);
    }
    let mut inside: Vec<_> = snapshots(&sandbox)
        .iter()
        .map(|file| tool("sqlite3", [text(file), "SELECT version FROM app_version"]))
        .map(|version| version.trim().to_owned())
        .collect();
    inside.sort();
    assert_eq!(inside, ["9.0.3", "9.0.4", "9.0.5", "9.0.6", "9.0.7"]);
}
