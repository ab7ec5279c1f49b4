//! A new key is on the disk before anything relies on it.

use std::collections::BTreeSet;
use std::fs;

use crate::sandbox::{PASSWORD, Sandbox};

/// In each of the commands the new key is on the disk before the database is told of it: between
/// each file that SoftHSM made and the commit after it there is a sync of that file.
#[test]
fn a_new_kek_is_on_the_disk_before_the_database_names_it() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let file = sandbox.password_file(PASSWORD);
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
    let calls = "trace=openat,open,fsync,unlink";
    let (run, trace) = sandbox.run_traced(&["-qq", "-y", "-e", calls], arguments);
    run.expect(0);
    let tokens = format!("{}/", sandbox.path("tokens").display());
    let token_file = |line: &str| -> Option<String> {
        let name = line.split(&tokens).nth(1)?.split(['"', '>']).next()?;
        name.ends_with(".object").then(|| name.to_owned())
    };
    let mut dirty = BTreeSet::new();
    let (mut made, mut commits) = (0, 0);
    for line in trace.lines() {
        if line.contains("O_CREAT") {
            dirty.extend(token_file(line).inspect(|_| made += 1));
        } else if line.contains(" fsync(") {
            dirty.retain(|name| token_file(line).as_ref() != Some(name));
        } else if line.contains("unlink(") && line.contains("trustpoint.db-journal\"") {
            commits += 1;
            assert!(dirty.is_empty(), "{dirty:?} {arguments:?}: {trace}");
        }
    }
    assert!(commits > 0 && made > 0, "{arguments:?}: {trace}");
}
