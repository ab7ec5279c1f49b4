//! A full disk: a small tmpfs with the whole node on it.

use super::assert_names;
use crate::mounts::Mounts;
use crate::sandbox::Sandbox;

#[test]
fn a_fresh_start_on_a_full_disk_leaves_nothing_and_works_when_there_is_space() {
    let sandbox = Sandbox::new();
    let mounts = Mounts::small(&sandbox);
    mounts.fill(&sandbox, 0);
    let said = mounts.fails_unchanged(&sandbox, 74, "io");
    let tls = sandbox.root("etc/trustpoint/tls").display().to_string();
    assert_names(&said, &[&tls, "full", "free space"]);
    mounts.free(&sandbox);
    let run = mounts.run(&sandbox, &["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    let run = mounts.run(&sandbox, &["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_MATCH");
}

#[test]
fn a_fresh_start_does_all_or_nothing_with_any_room_there_is() {
    let mut codes = Vec::new();
    for left in (0..400).step_by(24) {
        let sandbox = Sandbox::new();
        let mounts = Mounts::small(&sandbox);
        mounts.fill(&sandbox, left);
        let before = mounts.picture(&sandbox);
        let run = mounts.run(&sandbox, &["startup"]);
        if run.code != 0 {
            run.expect_error(74, "io");
            let after = mounts.picture(&sandbox);
            assert_eq!(before, after, "{left} KiB were left");
        }
        codes.push(run.code);
    }
    assert!(codes.contains(&0) && codes.contains(&74), "{codes:?}");
}

#[test]
fn a_ready_node_on_a_full_disk_is_an_error_and_works_when_there_is_space() {
    let sandbox = Sandbox::new();
    let mounts = Mounts::small(&sandbox);
    let setup = ["setup", "--storage", "software"];
    for command in [&["startup"][..], &setup, &["startup"]] {
        mounts.run(&sandbox, command).expect(0);
    }
    for left in [0, 4, 8, 12, 16, 20, 24] {
        mounts.fill(&sandbox, left);
        let said = mounts.fails_unchanged(&sandbox, 74, "io");
        let database = sandbox.database().display().to_string();
        assert_names(&said, &[&database, "free space"]);
    }
    mounts.fill(&sandbox, 40);
    mounts.run(&sandbox, &["startup"]).expect(0);
    mounts.fill(&sandbox, 0);
    let status = mounts.run(&sandbox, &["status"]).expect(0);
    assert_eq!(status.outcome(), "ready", "a full disk is no other node");
    mounts.free(&sandbox);
    let run = mounts.run(&sandbox, &["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_MATCH");
    assert_eq!(run.outcome(), "ready");
}

#[test]
fn c22_a_full_database_volume_is_found_before_the_dek_is_cached() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    // The directory of the database is full, and the runtime directory is not.
    let volume = "mount -t tmpfs -o size=256k small $1/var/lib/trustpoint";
    let script = format!(
        "cp -a $1/var/lib/trustpoint $1/copy\n{volume}\ncp -a $1/copy/. $1/var/lib/trustpoint\n\
         rm -r $1/copy\ndd if=/dev/zero of=$1/var/lib/trustpoint/filler 2>&1 || true >&2"
    );
    let mounts = Mounts::of(&sandbox, &format!("{{ {script}\n}} >/dev/null 2>&1"));
    mounts.run(&sandbox, &["startup"]).expect_error(74, "io");
    assert!(!sandbox.dek_cache().exists());
    assert!(sandbox.root("run/trustpoint/startup.json").exists());
}
