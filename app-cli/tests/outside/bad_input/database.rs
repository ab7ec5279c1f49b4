//! Databases that are none, are damaged, are somebody else's, or cannot be had.

use std::fs;

use super::assert_names;
use crate::check_ahead::{EXCLUSIVE, Holder};
use crate::sandbox::{Sandbox, put, tool};

/// A ready software node with these bytes in the place of its database.
#[track_caller]
fn refuses(bytes: &[u8], code: i32, kind: &str) -> String {
    let sandbox = Sandbox::software();
    put(&sandbox.database(), bytes);
    let said = sandbox.fails_unchanged(&["startup"], code, kind);
    assert_names(&said, &[sandbox.database().to_str().unwrap()]);
    said
}

#[test]
fn a_configured_database_without_its_directory_is_a_volume_that_is_not_mounted() {
    let mut sandbox = Sandbox::software();
    let database = sandbox.root("volume/trustpoint.db");
    sandbox.set("TRUSTPOINT_DATABASE", database.to_str().unwrap());
    let said = sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert_names(
        &said,
        &[database.parent().unwrap().to_str().unwrap(), "mount"],
    );
    assert!(!sandbox.root("volume").exists());
}

#[test]
fn the_default_directory_below_a_fresh_root_is_made() {
    let sandbox = Sandbox::new();
    assert!(!sandbox.path("root").exists());
    sandbox.run(&["startup"]).expect(0);
    assert!(sandbox.database().is_file());
}

#[test]
fn a_directory_is_no_database() {
    let sandbox = Sandbox::software();
    fs::remove_file(sandbox.database()).unwrap();
    fs::create_dir(sandbox.database()).unwrap();
    let said = sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert_names(&said, &[sandbox.database().to_str().unwrap(), "directory"]);
}

#[test]
fn c04_noise_is_no_database_and_never_a_fresh_node() {
    let noise: Vec<u8> = (0..100_u8).map(|i| i.wrapping_mul(151) ^ 0x5a).collect();
    let said = refuses(&noise, 65, "data_corrupt");
    assert_names(&said, &["no SQLite database", "backup"]);
}

#[test]
fn c04_a_truncated_database_is_damaged() {
    let whole = fs::read(Sandbox::software().database()).unwrap();
    for length in [50, 100, 4096, whole.len() / 2, whole.len() - 1] {
        let said = refuses(&whole[..length], 65, "data_corrupt");
        assert_names(&said, &["backup restore"]);
    }
}

#[test]
fn a_damaged_database_is_told_with_the_newest_snapshot_and_what_brings_it_back() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    let snapshots = fs::read_dir(sandbox.root("var/lib/trustpoint/snapshots")).unwrap();
    let newest = snapshots.last().unwrap().unwrap().path();
    let back = ["backup", "restore", newest.to_str().unwrap()];
    let command = format!("`trustpointctl {}`", back.join(" "));
    sandbox.damage_database();
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert_names(&said, &["no SQLite database", &command]);
    for arguments in [&["status"][..], &["keys", "show"], &["doctor"]] {
        let run = sandbox.run(arguments).expect(65);
        assert_names(&run.stdout, &[&command]);
    }
    // Nothing that this program could not restore is named.
    sandbox.set("TRUSTPOINT_APP_VERSION", "0.0.1");
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(!said.contains(newest.to_str().unwrap()), "{said}");

    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&back).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn c04_a_database_of_another_application_is_left_alone() {
    for id in [0, 0x0F05_5112] {
        let sandbox = Sandbox::software();
        fs::remove_file(sandbox.database()).unwrap();
        sandbox.sql(&format!(
            "PRAGMA application_id = {id}; CREATE TABLE moz_places (id INTEGER)"
        ));
        let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
        let database = sandbox.database().display().to_string();
        assert_names(&said, &[&database, "another application", "moz_places"]);
    }
}

#[test]
fn c04_a_database_that_another_process_has_locked_is_unavailable() {
    let sandbox = Sandbox::software();
    let holder = Holder::of(&sandbox, EXCLUSIVE);
    let said = sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert_names(
        &said,
        &[sandbox.database().to_str().unwrap(), "another process"],
    );

    drop(holder);
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn c22_a_start_that_cannot_be_recorded_leaves_no_dek_in_the_cache() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["startup"]).expect(0);
    assert!(sandbox.dek_cache().exists());
    fs::remove_file(sandbox.dek_cache()).unwrap();
    // Everything can be read and locked, and the last step cannot write its row.
    let database = sandbox.database().display().to_string();
    let broken = ["-P", &database, "-e", "inject=pwrite64:error=EIO"];
    let (run, _) = sandbox.run_traced(&broken, &["startup"]);
    let said = run.expect_error(74, "io");
    assert_names(&said, &["recording the start", &database]);
    assert!(!sandbox.dek_cache().exists());
    sandbox.run(&["startup"]).expect(0);
    assert!(sandbox.dek_cache().exists());
}

#[test]
fn c04_a_database_with_a_trigger_or_a_view_of_somebody_else_is_refused() {
    let for_ever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    for (name, add) in [
        (
            "busy",
            format!(
                "CREATE TRIGGER busy AFTER UPDATE ON app_version BEGIN \
                 INSERT INTO startup_history (starts) {for_ever} SELECT i FROM n; END"
            ),
        ),
        (
            "app_version",
            format!(
                "DROP TABLE app_version; \
                 CREATE VIEW app_version AS {for_ever} SELECT -i AS id, '' AS version FROM n"
            ),
        ),
    ] {
        let sandbox = Sandbox::software();
        sandbox.sql(&add);
        for command in ["status", "startup"] {
            let run = sandbox.run_under(&["timeout", "20"], &[command]);
            let said = run.expect_error(65, "data_corrupt");
            assert_names(&said, &[sandbox.database().to_str().unwrap(), name]);
        }
        sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    }
}

#[test]
fn c04_no_byte_of_the_header_makes_a_defect_of_the_program() {
    let sandbox = Sandbox::software();
    let whole = fs::read(sandbox.database()).unwrap();
    for place in 16..100 {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        put(&sandbox.database(), &bytes);
        for command in ["status", "startup"] {
            let run = sandbox.run_under(&["timeout", "20"], &[command]);
            let allowed = [0, 12, 65];
            assert!(
                allowed.contains(&run.code),
                "byte {place}, {command}: {} {}",
                run.code,
                run.said()
            );
        }
        // What a start that worked has written is no part of the next one's database.
        for suffix in ["-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", sandbox.database().display()));
        }
    }
}

#[test]
fn a_recorded_version_that_is_none_is_corrupt() {
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE app_version SET version = 'banana'");
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    let database = sandbox.database().display().to_string();
    assert_names(&said, &[&database, "banana", "app_version"]);
}

#[test]
fn a_database_that_may_not_be_read_or_written_is_denied() {
    for mode in ["000", "400"] {
        let sandbox = Sandbox::software();
        let mut start = sandbox.command_of_a_user(&["--format", "json", "startup"]);
        let database = sandbox.database().display().to_string();
        tool("chmod", [mode, &database]);
        let run = crate::sandbox::Run::end_of(&mut start);
        let said = run.expect_error(77, "denied");
        assert_names(&said, &[&database, "right"]);
    }
}
