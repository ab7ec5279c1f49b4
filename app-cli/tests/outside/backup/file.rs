//! Backups of a database in a file: its owner, its journals, its room, its bytes.

mod beside;
mod disk;
mod owners;
mod write_ahead;

use std::fs;

use super::restore::{assert_ready, assert_tidy, kept};
use super::{create, manifest, restore, sql_in};
use crate::commands::wait_for_file_of;
use crate::sandbox::{Sandbox, put, tool};

#[test]
fn a_backup_of_a_database_that_another_process_is_writing_is_of_one_state() {
    let sandbox = Sandbox::software();
    let script = "BEGIN IMMEDIATE;\nUPDATE installation SET setup_completed_at = NULL;\n\
                  .shell touch \"$READY\"; read line < \"$GO\"\nROLLBACK;\n";
    let (ready, go) = (sandbox.path("ready"), sandbox.path("go"));
    tool("mkfifo", [&go]);
    let mut writer = std::process::Command::new("sqlite3")
        .arg(sandbox.database())
        .env("READY", &ready)
        .env("GO", &go)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut writer.stdin.take().unwrap(), script.as_bytes()).unwrap();
    wait_for_file_of(&mut writer, &ready);
    let file = create(&sandbox, "node.backup");
    put(&go, "\n");
    writer.wait().unwrap();
    assert_eq!(manifest(&file, "setup_completed"), "yes");
    sandbox.run(&["backup", "verify", &file]).expect(0);
}

#[test]
fn a_database_behind_a_link_is_replaced_where_it_stands() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    let volume = sandbox.path("volume");
    fs::create_dir(&volume).unwrap();
    fs::rename(sandbox.database(), volume.join("real.db")).unwrap();
    std::os::unix::fs::symlink(volume.join("real.db"), sandbox.database()).unwrap();
    restore(&sandbox, &file).expect(0);
    assert!(sandbox.database().is_symlink());
    assert_eq!(sandbox.sql("SELECT count(*) FROM credential"), "1\n");
}

#[test]
fn a_large_damaged_database_is_replaced_and_its_bytes_are_kept() {
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    // Larger than what every start looks through.
    sandbox.sql("INSERT INTO credential (private_key) VALUES (randomblob(70000000))");
    let mut bytes = fs::read(sandbox.database()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xff);
    put(&sandbox.database(), &bytes);
    restore(&sandbox, &file).expect(0);
    let [kept] = kept(&sandbox).try_into().unwrap();
    assert!(kept.to_str().unwrap().contains("replaced-unreadable-"));
    assert!(fs::read(kept).unwrap() == bytes);
    assert_ready(&sandbox, &fingerprint);
}

#[test]
fn a_snapshot_that_fits_is_restored_as_the_refused_start_says_whatever_journal_is_left() {
    let mut sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    sandbox.unset("TRUSTPOINT_APP_VERSION");
    let said = sandbox.fails_unchanged(&["startup"], 12, "version_downgrade");
    assert!(
        said.contains("trustpointctl backup restore SNAPSHOT"),
        "{said}"
    );
    let [snapshot] = kept(&sandbox).try_into().unwrap();
    assert!(said.contains(snapshot.to_str().unwrap()), "{said}");
    // A writer that died: played back into the snapshot, its journal would destroy it.
    let script = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE fill (x); INSERT INTO fill SELECT \
                  randomblob(4000) FROM credential, refinery_schema_history; UPDATE credential \
                  SET private_key = randomblob(3000);\n.shell kill -9 $PPID\n";
    let commands = sandbox.path("commands.sql");
    put(&commands, script);
    let database = sandbox.database().display().to_string();
    let shell = format!("sqlite3 '{database}' < '{}' || true", commands.display());
    tool("sh", ["-c", &shell]);
    restore(&sandbox, snapshot.to_str().unwrap()).expect(0);
    assert_tidy(&sandbox);
    assert_ready(&sandbox, &fingerprint);
}

#[test]
fn over_a_database_that_nobody_can_read_and_its_bytes_are_kept() {
    let node = Sandbox::software();
    let fingerprint = node.run(&["startup"]).expect(0).fingerprint();
    let file = create(&node, "node.backup");
    let whole = fs::read(node.database()).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0x5a);
    for bytes in [
        b"100 bytes of noise".repeat(6),
        whole[..whole.len() / 2].to_vec(),
        damaged,
    ] {
        put(&node.database(), &bytes);
        let before = kept(&node);
        let run = restore(&node, &file).expect(0);
        assert_eq!(run.step("keep_replaced"), "done", "{}", run.stdout);
        let new: Vec<_> = kept(&node)
            .into_iter()
            .filter(|path| !before.contains(path))
            .collect();
        assert_eq!(new.len(), 1, "{new:?}");
        assert_eq!(fs::read(&new[0]).unwrap(), bytes);
        assert_tidy(&node);
        assert_ready(&node, &fingerprint);
    }
}

#[test]
fn the_journal_of_a_dead_writer_is_not_played_back_into_the_backup() {
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    let before = sandbox.sql("SELECT count(*) FROM credential");
    // So that what is recovered is another database than the backup.
    sandbox.sql("UPDATE key_storage_config SET last_updated = '2020-01-01T00:00:00Z'");
    // A writer that dies in a transaction that did not fit into its cache.
    let script = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE fill (x); INSERT INTO fill SELECT \
                  randomblob(4000) FROM credential, refinery_schema_history; UPDATE credential \
                  SET private_key = randomblob(3000); INSERT INTO fill SELECT randomblob(4000) \
                  FROM refinery_schema_history;\n.shell kill -9 $PPID\n";
    let commands = sandbox.path("commands.sql");
    put(&commands, script);
    let database = sandbox.database().display().to_string();
    let shell = format!("sqlite3 '{database}' < '{}' || true", commands.display());
    tool("sh", ["-c", &shell]);
    let journal = format!("{database}-journal");
    assert!(fs::metadata(&journal).is_ok_and(|journal| journal.len() > 0));

    let run = restore(&sandbox, &file).expect(0);
    assert_eq!(run.step("replace_database"), "done");
    assert_tidy(&sandbox);
    let snapshot = kept(&sandbox).pop().unwrap();
    let count = "SELECT count(*) FROM credential";
    assert_eq!(sql_in(snapshot.to_str().unwrap(), count), before);
    assert_ready(&sandbox, &fingerprint);
}

#[test]
fn what_is_left_of_a_database_that_is_gone_is_kept_and_put_away() {
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    let database = sandbox.database().display().to_string();
    fs::remove_file(&database).unwrap();
    put(format!("{database}-journal").as_ref(), "an old journal");
    sandbox.run(&["startup"]).expect_error(65, "data_corrupt");
    restore(&sandbox, &file).expect(0);
    assert_tidy(&sandbox);
    assert_eq!(kept(&sandbox).len(), 1);
    assert_ready(&sandbox, &fingerprint);
}

#[test]
fn a_database_that_another_process_holds() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    let before = sandbox.picture();
    let database = sandbox.database();
    let run = format!(
        "'{}' --root '{}' --format json backup restore '{file}'",
        env!("CARGO_BIN_EXE_trustpointctl"),
        sandbox.path("root").display()
    );
    let script = format!("BEGIN EXCLUSIVE;\n.shell {run}; echo code $?\nROLLBACK;\n");
    let commands = sandbox.path("commands.sql");
    put(&commands, script);
    let shell = format!(
        "sqlite3 '{}' < '{}'",
        database.display(),
        commands.display()
    );
    let said = tool("sh", ["-c", &shell]);
    assert!(
        said.contains("database_unavailable") && said.contains("code 69"),
        "{said}"
    );
    let leave = |picture: std::collections::BTreeMap<std::path::PathBuf, String>| {
        let journal = |path: &std::path::PathBuf| path.to_string_lossy().ends_with("-journal");
        picture
            .into_iter()
            .filter(|(path, _)| !journal(path))
            .collect::<Vec<_>>()
    };
    assert_eq!(leave(before), leave(sandbox.picture()));
    restore(&sandbox, &file).expect(0);
}

#[test]
fn the_database_of_another_application_is_not_replaced() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    fs::remove_file(sandbox.database()).unwrap();
    for statement in [
        "PRAGMA application_id = 7; CREATE TABLE recipes (name TEXT)",
        "DROP TABLE recipes; PRAGMA application_id = 0; CREATE TABLE people (name TEXT)",
    ] {
        sandbox.sql(statement);
        let said = sandbox.fails_unchanged(&["backup", "restore", &file], 78, "config");
        assert!(said.contains("not replaced"), "{said}");
    }
}
