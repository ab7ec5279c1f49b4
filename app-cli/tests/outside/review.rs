//! Faults that a review found, one test each.

use std::fs;

use crate::sandbox::Sandbox;

/// In each of the commands the new key is on the disk before the database is told of it: between
/// the last file that SoftHSM made and the commit after it there is a sync.
#[test]
fn a_new_kek_is_on_the_disk_before_the_database_names_it() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let file = sandbox.password_file(crate::sandbox::PASSWORD);
    let file = file.to_str().unwrap();
    let password = ["--backup-password-file", file];
    let setup = [&["setup", "--storage", "softhsm"][..], &password].concat();
    is_synced_before_the_commit(&sandbox, &setup);
    is_synced_before_the_commit(&sandbox, &["keys", "rotate-kek"]);
    fs::remove_dir_all(sandbox.lose_token()).unwrap();
    sandbox.lose_runtime();
    sandbox.run(&["startup"]).expect(0);
    is_synced_before_the_commit(&sandbox, &[&["recover"][..], &password].concat());
}

#[track_caller]
fn is_synced_before_the_commit(sandbox: &Sandbox, arguments: &[&str]) {
    let calls = "trace=openat,open,sync,unlink";
    let (run, trace) = sandbox.run_traced(&["-qq", "-e", calls], arguments);
    run.expect(0);
    let tokens = sandbox.path("tokens").display().to_string();
    let mut is_dirty = false;
    let (mut made, mut commits) = (0, 0);
    for line in trace.lines() {
        if line.contains("O_CREAT") && line.contains(&tokens) && line.contains(".object\"") {
            made += 1;
            is_dirty = true;
        } else if line.contains(" sync(") {
            is_dirty = false;
        } else if line.contains("unlink(") && line.contains("trustpoint.db-journal\"") {
            commits += 1;
            assert!(!is_dirty, "{arguments:?}: {trace}");
        }
    }
    assert!(commits > 0 && made > 0, "{arguments:?}: {trace}");
}
