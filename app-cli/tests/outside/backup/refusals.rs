//! What `restore` refuses, byte for byte with nothing changed.

use std::fs;

use super::{create, manifest, restore, sql_in};
use crate::sandbox::{Sandbox, put};

/// A file beside the root.
fn file_of(sandbox: &Sandbox, name: &str, bytes: impl AsRef<[u8]>) -> String {
    put(&sandbox.path(name), bytes);
    sandbox.path(name).display().to_string()
}

/// The database of the node as a file without a manifest, as snapshots are.
fn snapshot(sandbox: &Sandbox, file: &str) {
    let made = create(sandbox, "made.backup");
    sql_in(&made, &format!("VACUUM INTO '{file}'"));
}

/// Neither verify nor restore takes it, on a live node nor on one that was never set up.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, file: &str, code: i32, kind: &str) -> String {
    let fresh = Sandbox::new();
    for node in [sandbox, &fresh] {
        node.fails_unchanged(&["backup", "verify", file], code, kind);
        let said = node.fails_unchanged(&["backup", "restore", file], code, kind);
        assert!(said.contains(file), "{said}");
        assert!(
            !said.contains(".tmp"),
            "the operator's file is named: {said}"
        );
    }
    assert!(!fresh.root("var").exists());
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    sandbox.fails_unchanged(&["backup", "restore", file], code, kind)
}

#[test]
fn a_backup_that_was_cut_anywhere() {
    let sandbox = Sandbox::software();
    let bytes = fs::read(create(&sandbox, "node.backup")).unwrap();
    for length in [
        0,
        1,
        50,
        100,
        4096,
        10_000,
        bytes.len() / 2,
        bytes.len() - 4096,
        bytes.len() - 1,
    ] {
        let file = file_of(&sandbox, "cut.backup", &bytes[..length]);
        assert_refused(&sandbox, &file, 65, "data_corrupt");
    }
    let file = file_of(&sandbox, "longer.backup", [&bytes[..], b"x"].concat());
    assert_refused(&sandbox, &file, 65, "data_corrupt");
    let page = [&bytes[..], &[0; 4096]].concat();
    let file = file_of(&sandbox, "page.backup", page);
    assert_refused(&sandbox, &file, 65, "data_corrupt");
}

#[test]
fn a_backup_with_one_flipped_bit_anywhere() {
    let sandbox = Sandbox::software();
    let bytes = fs::read(create(&sandbox, "node.backup")).unwrap();
    for place in (0..bytes.len())
        .step_by(bytes.len() / 60)
        .chain([bytes.len() - 1])
    {
        let mut altered = bytes.clone();
        altered[place] ^= 1 << (place % 8);
        let file = file_of(&sandbox, "altered.backup", &altered);
        sandbox.fails_unchanged(&["backup", "restore", &file], 65, "data_corrupt");
    }
}

#[test]
fn a_backup_that_somebody_edited() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    let bytes = fs::read(&file).unwrap();
    sql_in(
        &file,
        "UPDATE key_storage_config SET storage_type = 'softhsm'",
    );
    let said = assert_refused(&sandbox, &file, 65, "data_corrupt");
    assert!(said.contains("manifest"), "{said}");
    for (from, to) in [
        ("storage: software", "storage: softhsm_"),
        ("setup_completed: yes", "setup_completed: no "),
        ("sha256: ", "sha512: "),
        ("format: 2", "format: 1"),
        ("Trustpoint backup", "Trustpoint Backup"),
    ] {
        let place = bytes
            .windows(from.len())
            .rposition(|seen| seen == from.as_bytes());
        let mut edited = bytes.clone();
        edited[place.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
        let file = file_of(&sandbox, "edited.backup", edited);
        let said = assert_refused(&sandbox, &file, 65, "data_corrupt");
        assert!(said.contains("manifest"), "{from}: {said}");
    }
    // What SQLite rebuilds has no manifest any more: it is a snapshot, and is called one.
    put(file.as_ref(), &bytes);
    sql_in(&file, "VACUUM");
    let run = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert!(run.warnings().contains("no manifest"), "{}", run.warnings());
}

#[test]
fn a_file_that_is_no_backup() {
    let sandbox = Sandbox::software();
    let noise = file_of(&sandbox, "noise", [0xa5; 5000]);
    assert_refused(&sandbox, &noise, 65, "data_corrupt");
    let other = sandbox.path("other.db").display().to_string();
    sql_in(
        &other,
        "PRAGMA application_id = 7; CREATE TABLE recipes (name TEXT)",
    );
    let said = assert_refused(&sandbox, &other, 65, "data_corrupt");
    assert!(said.contains("another application"), "{said}");
    let directory = sandbox.path("tokens").display().to_string();
    assert_refused(&sandbox, &directory, 65, "data_corrupt");
    let missing = sandbox.path("missing.backup").display().to_string();
    assert_refused(&sandbox, &missing, 74, "io");
}

#[test]
fn a_database_with_a_journal_beside_it_is_no_snapshot() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("live.db").display().to_string();
    snapshot(&sandbox, &file);
    for part in ["-journal", "-wal"] {
        let part = format!("{file}{part}");
        put(part.as_ref(), "what belongs to it");
        let said = assert_refused(&sandbox, &file, 65, "data_corrupt");
        assert!(said.contains(&part), "{said}");
        fs::remove_file(part).unwrap();
    }
    restore(&sandbox, &file).expect(0);
}

#[test]
fn a_backup_of_a_newer_version_or_schema() {
    let mut newer = Sandbox::new();
    newer.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    newer.run(&["setup", "--storage", "software"]).expect(0);
    newer.run(&["startup"]).expect(0);
    let file = create(&newer, "node.backup");
    assert_eq!(manifest(&file, "application_version"), "99.0.0");
    let sandbox = Sandbox::software();
    let said = assert_refused(&sandbox, &file, 12, "version_downgrade");
    assert!(said.contains("99.0.0"), "{said}");

    // A snapshot has no manifest, so its schema can be made newer.
    let file = sandbox.path("snapshot.db").display().to_string();
    snapshot(&sandbox, &file);
    let row = "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, '1' \
               FROM refinery_schema_history WHERE version = 1";
    sql_in(&file, row);
    assert_refused(&sandbox, &file, 12, "version_downgrade");
}

#[test]
fn a_backup_of_another_installation_on_a_node_that_is_set_up() {
    let (sandbox, other) = (Sandbox::software(), Sandbox::software());
    let file = create(&other, "node.backup");
    let said = sandbox.fails_unchanged(&["backup", "restore", &file], 65, "data_corrupt");
    assert!(said.contains("--accept-other-installation"), "{said}");
    let fingerprint = other.run(&["startup"]).expect(0).fingerprint();
    sandbox.make_way_for_another_installation();
    let accept = ["backup", "restore", &file, "--accept-other-installation"];
    sandbox.run(&accept).expect(0);
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).fingerprint(),
        fingerprint
    );
}
