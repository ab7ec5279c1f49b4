//! The versions: match, upgrade with its snapshot, and the downgrade that is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::sandbox::{Sandbox, tool};

/// A software node whose last start was of this version.
fn node_of(version: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("TRUSTPOINT_APP_VERSION", version);
    sandbox.run(&["startup"]).expect(0);
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

fn start_as(sandbox: &mut Sandbox, version: &str) -> (String, String) {
    sandbox.set("TRUSTPOINT_APP_VERSION", version);
    let run = sandbox.run(&["startup"]);
    (run.startup_scenario(), run.outcome())
}

fn snapshots(sandbox: &Sandbox) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sandbox.root("var/lib/trustpoint/snapshots")) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[track_caller]
fn sqlite3(path: &std::path::Path, statement: &str) -> String {
    let text = tool("sqlite3", [path.as_os_str(), statement.as_ref()]);
    text.trim().to_owned()
}

/// C15
#[test]
fn version_upgrade_makes_a_snapshot_first_and_records_the_version_last() {
    let mut sandbox = node_of("1.0.0");
    let fingerprint = super::active_fingerprint(&sandbox);
    sandbox.set("TRUSTPOINT_APP_VERSION", "1.1.0");
    let run = sandbox.run(&["startup"]).expect(0);
    super::Expected {
        startup: "VERSION_UPGRADE",
        restore: Some("RESTORE_SOFTWARE_WIZARD_COMPLETED"),
        outcome: "ready",
        context: [
            json!("COMPLETED"),
            json!("WIZARD_COMPLETED"),
            json!("software"),
            json!(null),
            json!(null),
            json!(false),
        ],
        steps: "provide_tls set_wizard_state",
        tls: "database",
        wizard: "WIZARD_COMPLETED",
        dek_cached: false,
        recorded: true,
    }
    .check(&sandbox, &run);
    let versions = json!({ "database": "1.0.0", "current": "1.1.0" });
    assert_eq!(run.report["version"], versions);
    assert_eq!(run.step("snapshot_database"), "done");
    assert_eq!(run.fingerprint(), fingerprint);

    let snapshots = snapshots(&sandbox);
    assert_eq!(snapshots.len(), 1);
    let integrity = sqlite3(&snapshots[0], "PRAGMA integrity_check");
    assert_eq!(integrity, "ok");
    let version = sqlite3(&snapshots[0], "SELECT version FROM app_version");
    assert_eq!(version, "1.0.0", "it is of the state before");
    assert_eq!(super::mode(&snapshots[0]), 0o600);
    let (scenario, _) = start_as(&mut sandbox, "1.1.0");
    assert_eq!(scenario, "VERSION_MATCH");
}

#[test]
fn version_upgrade_of_a_softhsm_node() {
    let mut sandbox = Sandbox::softhsm();
    let (scenario, outcome) = start_as(&mut sandbox, "99.0.0");
    assert_eq!(
        (scenario.as_str(), outcome.as_str()),
        ("VERSION_UPGRADE", "ready")
    );
    assert_eq!(snapshots(&sandbox).len(), 1);
    super::assert_dek_cache(&sandbox, true);
}

/// A node that waits for its password and whose program is newer: it waits, and is upgraded.
#[test]
fn version_upgrade_of_a_node_whose_token_is_lost() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    let (scenario, outcome) = start_as(&mut sandbox, "99.0.0");
    assert_eq!(scenario, "VERSION_UPGRADE");
    assert_eq!(outcome, "recovery_required");
    assert_eq!(snapshots(&sandbox).len(), 1);
    let (scenario, outcome) = start_as(&mut sandbox, "99.0.0");
    assert_eq!(scenario, "VERSION_MATCH");
    assert_eq!(outcome, "recovery_required");
}

#[test]
fn version_downgrade_is_refused_and_names_the_snapshots_that_fit() {
    let mut sandbox = node_of("1.0.0");
    for version in ["2.0.0", "3.0.0"] {
        assert_eq!(start_as(&mut sandbox, version).0, "VERSION_UPGRADE");
    }
    let all = snapshots(&sandbox);
    let of = |version: &str| {
        let fits = |path: &&PathBuf| sqlite3(path, "SELECT version FROM app_version") == version;
        all.iter().find(fits).unwrap().display().to_string()
    };

    sandbox.set("TRUSTPOINT_APP_VERSION", "1.5.0");
    let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    for part in ["3.0.0", "1.5.0", &of("1.0.0")] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(&of("2.0.0")), "{said}");
    let run = sandbox.run(&["startup"]);
    assert_eq!(run.startup_scenario(), "VERSION_DOWNGRADE");
    assert_eq!(run.report["restore_scenario"], json!(null));
    assert_eq!(run.outcome(), "refused");
    assert_eq!(run.report["steps"], json!([]));

    // What the hint says works.
    sandbox.set("TRUSTPOINT_APP_VERSION", "1.5.0");
    sandbox.run(&["backup", "restore", &of("1.0.0")]).expect(0);
    let (scenario, outcome) = start_as(&mut sandbox, "1.5.0");
    assert_eq!(
        (scenario.as_str(), outcome.as_str()),
        ("VERSION_UPGRADE", "ready")
    );
}

#[test]
fn version_downgrade_without_a_snapshot_says_that_none_fits() {
    let mut sandbox = node_of("2.0.0");
    sandbox.set("TRUSTPOINT_APP_VERSION", "1.0.0");
    let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    assert!(said.contains("no snapshot fits"), "{said}");
}

#[test]
fn versions_are_compared_by_precedence() {
    let mut sandbox = node_of("1.0.0-rc.2");
    for (version, scenario) in [
        ("1.0.0-rc.2+build.7", "VERSION_MATCH"),
        ("1.0.0-rc.10", "VERSION_UPGRADE"),
        ("1.0.0-rc.9", "VERSION_DOWNGRADE"),
        ("1.0.0", "VERSION_UPGRADE"),
        ("1.0.0+later", "VERSION_MATCH"),
        ("1.0.0+earlier", "VERSION_MATCH"),
        ("1.0.0-rc.11", "VERSION_DOWNGRADE"),
        ("1.10.0", "VERSION_UPGRADE"),
        ("1.9.0", "VERSION_DOWNGRADE"),
    ] {
        assert_eq!(start_as(&mut sandbox, version).0, scenario, "{version}");
    }
}

#[test]
fn c06_a_newer_database_is_changed_by_no_command() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE app_version SET version = '99.0.0'");
    for command in [&["setup", "--reset"][..], &["keys", "rotate-kek"]] {
        sandbox.fails_unchanged(command, 12, "version_downgrade");
    }
}
