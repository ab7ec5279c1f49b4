//! `restore` onto a node whose database uses write-ahead logging.

use std::fs;

use crate::backup::restore::{assert_ready, assert_tidy, kept};
use crate::backup::{create, restore, sql_in};
use crate::sandbox::{Sandbox, put, tool};

fn switch(sandbox: &Sandbox) {
    assert_eq!(sandbox.sql("PRAGMA journal_mode = WAL"), "wal\n");
}

/// A writer that is killed after its commit: the log is all that has it.
fn leave_a_log(sandbox: &Sandbox) {
    let commands = sandbox.path("commands.sql");
    put(
        &commands,
        "UPDATE key_storage_config SET last_updated = '2020-01-01T00:00:00Z';\n\
         .shell kill -9 $PPID\n",
    );
    let database = sandbox.database().display().to_string();
    let shell = format!("sqlite3 '{database}' < '{}' || true", commands.display());
    tool("sh", ["-c", &shell]);
    let log = fs::metadata(format!("{database}-wal"));
    assert!(log.is_ok_and(|log| log.len() > 0));
}

#[test]
fn it_is_replaced_with_and_without_a_log_that_is_left() {
    for is_log_left in [false, true] {
        let sandbox = Sandbox::software();
        let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
        let file = create(&sandbox, "node.backup");
        sandbox.run(&["tls", "renew"]).expect(0);
        switch(&sandbox);
        if is_log_left {
            leave_a_log(&sandbox);
        }
        let run = restore(&sandbox, &file).expect(0);
        assert_eq!(run.step("replace_database"), "done");
        assert_tidy(&sandbox);
        let [snapshot] = kept(&sandbox).try_into().unwrap();
        let snapshot = snapshot.to_str().unwrap();
        assert_eq!(sql_in(snapshot, "SELECT count(*) FROM credential"), "2\n");
        let of_log = "SELECT count(*) FROM key_storage_config WHERE last_updated LIKE '2020%'";
        let expected = if is_log_left { "1\n" } else { "0\n" };
        assert_eq!(sql_in(snapshot, of_log), expected);
        assert_ready(&sandbox, &fingerprint);
    }
}

#[test]
fn it_is_replaced_where_the_database_still_has_to_learn_of_the_setup() {
    let node = Sandbox::new();
    node.run(&["startup"]).expect(0);
    let file = create(&node, "node.backup");
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE installation SET setup_completed_at = NULL");
    switch(&sandbox);
    let accept = ["backup", "restore", &file, "--accept-other-installation"];
    sandbox.run(&accept).expect(0);
    assert_tidy(&sandbox);
    let [snapshot] = kept(&sandbox).try_into().unwrap();
    let mark = "SELECT setup_completed_at IS NOT NULL FROM installation";
    assert_eq!(sql_in(snapshot.to_str().unwrap(), mark), "1\n");
}

#[test]
fn the_snapshot_that_a_refused_start_names_is_restored() {
    let mut sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    switch(&sandbox);
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    sandbox.unset("TRUSTPOINT_APP_VERSION");
    let said = sandbox.run(&["startup"]);
    let said = said.expect_error(12, "version_downgrade");
    let [snapshot] = kept(&sandbox).try_into().unwrap();
    let snapshot = snapshot.to_str().unwrap();
    assert!(said.contains("backup restore SNAPSHOT"), "{said}");
    assert!(said.contains(snapshot), "{said}");
    restore(&sandbox, snapshot).expect(0);
    assert_tidy(&sandbox);
    assert_ready(&sandbox, &fingerprint);
}
