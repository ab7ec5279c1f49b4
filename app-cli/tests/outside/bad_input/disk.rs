//! A full disk: a small tmpfs with the whole node on it.

use super::assert_names;
use crate::mounts::Mounts;
use crate::sandbox::Sandbox;

const SMALL: &str = "mkdir -p $1
    mount -t tmpfs -o size=1m,mode=700 small $1
    mkdir -p $1/var/lib/trustpoint $1/run/trustpoint";

/// A root on a tmpfs of 1 MiB, with the directories that lock and report stand in.
fn small(sandbox: &Sandbox) -> Mounts {
    Mounts::of(sandbox, SMALL)
}

/// Leaves so many KiB.
fn fill(mounts: &Mounts, sandbox: &Sandbox, left: usize) {
    let fill = format!(
        "set -e
        [ $(stat -f -c %T $1) = tmpfs ]
        rm -f $1/filler
        free=$(($(stat -f -c %a $1) * $(stat -f -c %S $1) / 1024 - {left}))
        dd if=/dev/zero of=$1/filler bs=1024 count=$free 2>&1"
    );
    mounts.shell(sandbox, &fill);
}

fn free(mounts: &Mounts, sandbox: &Sandbox) {
    mounts.shell(sandbox, "rm $1/filler");
}

#[test]
fn a_fresh_start_on_a_full_disk_leaves_nothing_and_works_when_there_is_space() {
    let sandbox = Sandbox::new();
    let mounts = small(&sandbox);
    fill(&mounts, &sandbox, 0);
    let said = mounts.fails_unchanged(&sandbox, 74, "io");
    let tls = sandbox.root("etc/trustpoint/tls").display().to_string();
    assert_names(&said, &[&tls, "full", "free space"]);
    free(&mounts, &sandbox);
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
        let mounts = small(&sandbox);
        fill(&mounts, &sandbox, left);
        let before = Sandbox::picture_below(&mounts.path(&sandbox.path("root")));
        let run = mounts.run(&sandbox, &["startup"]);
        if run.code != 0 {
            run.expect_error(74, "io");
            let after = Sandbox::picture_below(&mounts.path(&sandbox.path("root")));
            assert_eq!(before, after, "{left} KiB were left");
        }
        codes.push(run.code);
    }
    assert!(codes.contains(&0) && codes.contains(&74), "{codes:?}");
}

#[test]
fn a_ready_node_on_a_full_disk_is_an_error_and_works_when_there_is_space() {
    let sandbox = Sandbox::new();
    let mounts = small(&sandbox);
    let setup = ["setup", "--storage", "software"];
    for command in [&["startup"][..], &setup, &["startup"]] {
        mounts.run(&sandbox, command).expect(0);
    }
    for left in [0, 4, 8, 12, 16, 20, 24] {
        fill(&mounts, &sandbox, left);
        let said = mounts.fails_unchanged(&sandbox, 74, "io");
        let database = sandbox.database().display().to_string();
        assert_names(&said, &[&database, "free space"]);
    }
    fill(&mounts, &sandbox, 40);
    mounts.run(&sandbox, &["startup"]).expect(0);
    fill(&mounts, &sandbox, 0);
    let status = mounts.run(&sandbox, &["status"]).expect(0);
    assert_eq!(status.outcome(), "ready", "a full disk is no other node");
    free(&mounts, &sandbox);
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
