//! A full disk under `restore` and `create`.

use std::fs;

use crate::backup::create;
use crate::mounts::Mounts;
use crate::sandbox::Sandbox;

/// The data volume is a tmpfs of 1 MiB.
const SMALL: &str = "cp -a $1/var/lib/trustpoint $1.data
    mount -t tmpfs -o size=1m,mode=700 small $1/var/lib/trustpoint
    cp -a $1.data/. $1/var/lib/trustpoint";

/// Leaves so many KiB on it.
fn fill(mounts: &Mounts, sandbox: &Sandbox, left: usize) {
    let fill = format!(
        "set -e
        cd $1/var/lib/trustpoint
        [ $(stat -f -c %T .) = tmpfs ]
        rm -f filler
        free=$(($(stat -f -c %a .) * $(stat -f -c %S .) / 1024 - {left}))
        dd if=/dev/zero of=filler bs=1024 count=$free 2>&1"
    );
    mounts.shell(sandbox, &fill);
}

#[test]
fn a_restore_with_any_room_there_is_replaces_the_database_or_leaves_it() {
    let sandbox = Sandbox::software();
    let first = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    let later = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
    let mounts = Mounts::of(&sandbox, SMALL);
    let database = mounts.path(&sandbox.database());
    let before = fs::read(&database).unwrap();
    let mut codes = Vec::new();
    for left in (0..260).step_by(20) {
        fill(&mounts, &sandbox, left);
        let run = mounts.run(&sandbox, &["backup", "restore", &file]);
        codes.push(run.code);
        mounts.shell(&sandbox, "rm $1/var/lib/trustpoint/filler");
        let expected = if run.code == 0 {
            &first
        } else {
            run.expect_error(74, "io");
            assert_eq!(fs::read(&database).unwrap(), before, "{left} KiB were left");
            let names = mounts.shell(&sandbox, "ls -A $1/var/lib/trustpoint");
            assert!(!names.contains(".tmp"), "{names}");
            &later
        };
        let start = mounts.run(&sandbox, &["status"]).expect(0);
        assert_eq!(start.outcome(), "ready");
        if run.code == 0 {
            let start = mounts.run(&sandbox, &["startup"]).expect(0);
            assert_eq!(start.fingerprint(), *expected);
            break;
        }
    }
    assert!(codes.contains(&0) && codes.contains(&74), "{codes:?}");
}

#[test]
fn a_backup_onto_a_full_disk_names_it_whatever_the_database_stands_on() {
    let sandbox = Sandbox::software();
    let small = "mkdir $1.backups\nmount -t tmpfs -o size=64k small $1.backups";
    let mounts = Mounts::of(&sandbox, small);
    let file = sandbox.path("root.backups/node.backup");
    let create = ["backup", "create", file.to_str().unwrap()];
    let directory = file.parent().unwrap().to_str().unwrap();
    // With write-ahead logging it is SQLite that copies.
    for mode in ["DELETE", "WAL"] {
        sandbox.sql(&format!("PRAGMA journal_mode = {mode}"));
        let said = mounts.run(&sandbox, &create).expect_error(74, "io");
        for named in [
            &format!(" to {directory}"),
            "free space on that file system",
        ] {
            assert!(said.contains(named), "{mode}: {said}");
        }
    }
}

#[test]
fn a_backup_onto_a_full_disk_leaves_the_one_before() {
    let sandbox = Sandbox::software();
    let mounts = Mounts::of(&sandbox, SMALL);
    let file = sandbox.root("var/lib/trustpoint/node.backup");
    let create = ["backup", "create", file.to_str().unwrap(), "--force"];
    mounts.run(&sandbox, &create).expect(0);
    let before = fs::read(mounts.path(&file)).unwrap();
    for left in [0, 8, 40] {
        fill(&mounts, &sandbox, left);
        mounts.run(&sandbox, &create).expect_error(74, "io");
        assert_eq!(fs::read(mounts.path(&file)).unwrap(), before);
        let names = mounts.shell(&sandbox, "ls -A $1/var/lib/trustpoint");
        assert!(!names.contains(".tmp"), "{names}");
    }
    mounts.shell(&sandbox, "rm $1/var/lib/trustpoint/filler");
    mounts.run(&sandbox, &create).expect(0);
}
