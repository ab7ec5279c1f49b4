//! C4, C5, C6: what the database is, and what it says of its version.

use std::fs;

use super::text;
use crate::check_ahead::{EXCLUSIVE, Holder};
use crate::sandbox::{Sandbox, put, tool};

#[test]
fn c04_a_database_that_cannot_be_read_is_not_a_new_node() {
    let sandbox = Sandbox::software();
    let database = sandbox.database();
    let whole = fs::read(&database).unwrap();
    put(&database, [0x5a; 100]);
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    put(&database, &whole[..whole.len() / 2]);
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");

    fs::remove_file(&database).unwrap();
    tool("sqlite3", [text(&database), "CREATE TABLE other (x)"]);
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");

    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
}

#[test]
fn c04_a_locked_database_is_not_a_new_node() {
    let sandbox = Sandbox::software();
    let holder = Holder::of(&sandbox, EXCLUSIVE);
    let run = sandbox.run(&["startup"]);
    drop(holder);
    run.expect_error(69, "database_unavailable");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
}

#[test]
fn c04_only_a_missing_or_an_empty_file_is_a_new_node() {
    let sandbox = Sandbox::new();
    put(&sandbox.database(), "");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    assert_eq!(run.outcome(), "setup_required");
}

/// Runs a start that is killed at its `n`th call of that name; whether it got that far.
fn killed_at(sandbox: &Sandbox, call: &str, n: usize) -> bool {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let (run, calls) = sandbox.run_traced(&["-e", &trace, "-e", &inject], &["startup"]);
    let is_killed = calls.contains("killed by SIGKILL");
    assert!(is_killed || run.code == 0, "{}", run.stderr);
    is_killed
}

/// Kills a start at each rename, removal and fsync, each time from the same state, and shows that
/// the next start is the whole start again, or has nothing left to do where the version was
/// recorded.
/// `again` are the scenarios that a start which is not recorded may be.
fn assert_repeatable(sandbox: &Sandbox, current: &str, again: &[&str]) {
    let root = sandbox.path("root");
    let template = sandbox.path("template");
    let database = sandbox.keep_database();
    fs::create_dir_all(&root).unwrap();
    fs::rename(&root, &template).unwrap();
    let mut swapped_and_not_recorded = 0;
    let mut calls = vec!["rename", "unlink", "fsync"];
    let mut n = 0;
    while let Some(call) = calls.last() {
        let _ = fs::remove_dir_all(&root);
        tool("cp", ["-a", text(&template), text(&root)]);
        sandbox.put_database_back(&database);
        n += 1;
        if !killed_at(sandbox, call, n) {
            calls.pop();
            n = 0;
            continue;
        }
        let query = "SELECT version FROM app_version";
        let recorded =
            sandbox.tables().contains("app_version") && sandbox.sql(query).trim() == current;
        let has_tls = sandbox.tls("current").exists();
        let run = sandbox.run(&["startup"]).expect(0);
        let scenario = run.startup_scenario();
        if recorded {
            assert_eq!(scenario, "VERSION_MATCH");
            assert_eq!(run.step("provide_tls"), "unchanged", "{call} {n}");
            assert_eq!(run.step("set_wizard_state"), "unchanged", "{call} {n}");
        } else {
            assert!(again.contains(&scenario.as_str()), "{call} {n}: {scenario}");
            swapped_and_not_recorded += usize::from(has_tls);
        }
        super::assert_usable(sandbox);
        let credentials = super::rows(sandbox, "credential");
        assert_eq!(credentials, 1, "what was made is used: {call} {n}");
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.startup_scenario(), "VERSION_MATCH");
    }
    assert!(swapped_and_not_recorded > 0, "the version comes last");
}

#[test]
fn c05_a_first_start_that_dies_before_its_record_is_the_same_start_again() {
    let sandbox = Sandbox::new();
    let version = env!("CARGO_PKG_VERSION");
    let again = ["DB_NOT_INITIALIZED", "DB_INITIALIZED_NO_VERSION"];
    assert_repeatable(&sandbox, version, &again);
}

/// A first start that died before its record, a setup that went on and died too: the storage that
/// was chosen there stays.
#[test]
fn c05_a_start_that_is_repeated_keeps_the_storage_that_setup_has_chosen() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("DELETE FROM app_version; UPDATE installation SET setup_completed_at = NULL");
    sandbox.put_wizard(&["WIZARD_SETUP_HSM"]);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_INITIALIZED_NO_VERSION");
    assert_eq!(run.step("configure_storage"), "unchanged");
    let storage = sandbox.sql("SELECT storage_type FROM key_storage_config");
    assert_eq!(storage.trim(), "softhsm");
}

#[test]
fn c05_an_upgrade_that_dies_before_its_record_is_an_upgrade_again() {
    let mut sandbox = Sandbox::software();
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    sandbox.put_wizard(&[]);
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    assert_repeatable(&sandbox, "9.0.0", &["VERSION_UPGRADE"]);
}

#[test]
fn c15_an_upgrade_that_is_repeated_does_not_pile_up_snapshots() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    let snapshots = sandbox.root("var/lib/trustpoint/snapshots");
    for _ in 0..3 {
        // Killed where Nginx has got its set, long after the snapshot.
        let mut n = 0;
        loop {
            n += 1;
            let _ = fs::remove_dir_all(sandbox.root("etc/trustpoint/tls"));
            assert!(killed_at(&sandbox, "fsync", n), "it was not killed");
            if sandbox.tls("current").exists() {
                break;
            }
        }
    }
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.step("snapshot_database"), "unchanged");
    assert_eq!(fs::read_dir(snapshots).unwrap().count(), 1);
}

#[test]
fn c06_a_schema_of_the_future_is_a_downgrade_whatever_the_version_says() {
    let sandbox = Sandbox::software();
    sandbox.sql(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
         VALUES (99, 'future', '2099-01-01T00:00:00Z', '1')",
    );
    for version in [None, Some("UPDATE app_version SET version = '0.0.1'")] {
        version.map(|statement| sandbox.sql(statement));
        let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
        assert!(said.contains("migrations"), "{said}");
    }
    sandbox.sql("DELETE FROM app_version");
    sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    let run = sandbox.run(&["status"]);
    assert_eq!(run.startup_scenario(), "VERSION_DOWNGRADE");
}

#[test]
fn c06_migrations_that_differ_are_a_downgrade() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 2");
    let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    assert!(said.contains("differ"), "{said}");
}
