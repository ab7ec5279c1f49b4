//! `history`: what happened to a node, each with time, version, container and user.

use std::fs;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::sandbox::{PASSWORD, Run, Sandbox, put};

fn rows(sandbox: &Sandbox) -> Vec<Value> {
    let run = sandbox.run(&["history", "--limit", "100"]).expect(0);
    run.report["history"].as_array().unwrap().clone()
}

/// Oldest first.
fn events(sandbox: &Sandbox) -> Vec<String> {
    let rows = rows(sandbox);
    let names = rows.iter().rev().map(|row| row["event"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[track_caller]
fn last(sandbox: &Sandbox) -> (String, String) {
    let row = rows(sandbox).remove(0);
    for key in [
        "first_at",
        "last_at",
        "version",
        "container_id",
        "node",
        "user_id",
    ] {
        assert!(!row[key].is_null(), "{key}: {row}");
    }
    assert_eq!(row["result"], "done");
    for key in ["starts", "startup_scenario", "outcome", "changes"] {
        assert!(row[key].is_null(), "{key}: {row}");
    }
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    (text("event"), text("detail"))
}

#[track_caller]
fn done(sandbox: &Sandbox, arguments: &[&str], event: &str) -> (Run, String) {
    let before = rows(sandbox).len();
    let run = sandbox.run(arguments).expect(0);
    let (name, detail) = last(sandbox);
    assert_eq!(name, event);
    assert_eq!(rows(sandbox).len(), before + 1, "one row, and no more");
    (run, detail)
}

#[test]
fn a_first_start_and_setup_are_told_in_their_order() {
    let sandbox = Sandbox::softhsm();
    let expected = [
        "certificate_made",
        "start",
        "backup_password_set",
        "set_up",
        "start",
    ];
    assert_eq!(events(&sandbox), expected);
    let user = sandbox.run(&["history"]).expect(0).report["history"][0]["user_id"].clone();
    assert_eq!(user, rustix::process::geteuid().as_raw());
}

#[test]
fn every_command_that_changes_the_node_leaves_its_event() {
    let sandbox = Sandbox::softhsm();
    let password = sandbox.password_file(PASSWORD).display().to_string();
    let with_password = ["--backup-password-file", &password];
    let set = ["keys", "set-backup-password"];
    done(
        &sandbox,
        &[&set[..], &with_password].concat(),
        "backup_password_set",
    );
    let (_, kek) = done(&sandbox, &["keys", "rotate-kek"], "kek_rotated");
    let shown = sandbox.run(&["keys", "show"]).expect(0);
    assert!(kek.contains(&shown.text("/keys/kek_id")), "{kek}");

    let (first, made) = done(&sandbox, &["tls", "renew"], "certificate_made");
    assert_eq!(made, first.fingerprint());
    let (second, _) = done(&sandbox, &["tls", "renew"], "certificate_made");
    let activate = ["tls", "activate", &made];
    let (_, activated) = done(&sandbox, &activate, "certificate_activated");
    assert_eq!(activated, made);
    let before = rows(&sandbox).len();
    sandbox.run(&activate).expect(0);
    assert_eq!(rows(&sandbox).len(), before, "nothing was changed");
    assert_ne!(second.fingerprint(), made);

    let file = sandbox.path("node.backup").display().to_string();
    let (run, detail) = done(&sandbox, &["backup", "create", &file], "backup_made");
    assert!(detail.contains(&file), "{detail}");
    assert!(detail.contains(&run.text("/backup/sha256")), "{detail}");
    let (_, detail) = done(&sandbox, &["backup", "verify", &file], "backup_verified");
    assert!(detail.contains("opens with the token: yes"), "{detail}");
    sandbox.run(&["backup", "restore", &file]).expect(0);
    assert_eq!(last(&sandbox), ("backup_restored".to_owned(), file));

    sandbox.lose_token();
    sandbox.lose_runtime();
    sandbox.run(&["startup"]).expect(0);
    let recover = [&["recover"][..], &with_password].concat();
    let (_, kek) = done(&sandbox, &recover, "recovered");
    let shown = sandbox.run(&["keys", "show"]).expect(0);
    assert!(kek.contains(&shown.text("/keys/kek_id")), "{kek}");
    assert!(kek.contains(&shown.text("/keys/token/serial")), "{kek}");
    done(&sandbox, &["setup", "--reset"], "setup_reset");

    let human = sandbox.run_human(&["history"]).expect(0).stdout;
    for words in ["kek rotated", "backup restored", "recovered", ", user "] {
        assert!(human.contains(words), "{words}: {human}");
    }
    for line in human.lines() {
        assert!(line.chars().count() <= 80 || line.contains(&kek), "{line}");
    }
}

#[test]
fn what_fails_or_only_looks_leaves_no_event() {
    let sandbox = Sandbox::softhsm();
    let before = rows(&sandbox).len();
    let wrong = sandbox.password_file("wrong horse battery staple");
    let wrong = ["--backup-password-file", wrong.to_str().unwrap()];
    let verify = [&["keys", "verify-backup-password"][..], &wrong].concat();
    sandbox.run(&verify).expect(77);
    // All of its digits: the beginning of one may be anybody's.
    let nobodys = "AB".repeat(32);
    sandbox
        .run(&["tls", "activate", &nobodys])
        .expect_error(2, "usage");
    for looks in [
        &["status"][..],
        &["doctor"],
        &["keys", "show"],
        &["tls", "show"],
    ] {
        sandbox.run(looks).expect(0);
    }
    let taken = sandbox.path("taken");
    put(&taken, "a file of somebody");
    let create = ["backup", "create", taken.to_str().unwrap()];
    sandbox.run(&create).expect_error(74, "io");
    assert_eq!(rows(&sandbox).len(), before);
}

#[test]
fn a_node_of_the_schema_before_events_keeps_its_history() {
    let sandbox = Sandbox::software();
    // As the migration 5 left it: what the later ones have changed is made anew.
    let [token, rotation] = [
        include_str!("../../../adapters-db/migrations/sqlite/V2__token.sql"),
        include_str!("../../../adapters-db/migrations/sqlite/V5__rotation.sql"),
    ];
    sandbox.sql(&format!(
        "DROP TABLE sealing; DROP TABLE pkcs11_key; DROP TABLE pkcs11_token; {token} {rotation} \
         DROP TABLE event; ALTER TABLE startup_history DROP COLUMN user_id; \
         ALTER TABLE startup_history DROP COLUMN node; \
         DELETE FROM refinery_schema_history WHERE version > 5; \
         UPDATE app_version SET version = '0.0.9'"
    ));
    let before = rows(&sandbox);
    assert!(before.iter().all(|row| row["user_id"].is_null()));
    sandbox.run(&["startup"]).expect(0);
    let after = rows(&sandbox);
    assert_eq!(after[1..], before[..]);
    assert_eq!(after[0]["startup_scenario"], "VERSION_UPGRADE");
    assert!(!after[0]["user_id"].is_null());
}

#[test]
fn the_last_backup_stands_on_the_screen_and_in_the_metrics() {
    let sandbox = Sandbox::software();
    let status = || sandbox.run_human(&["status"]).expect(0).stdout;
    assert!(status().contains("no backup on record"), "{}", status());
    let file = sandbox.path("node.backup").display().to_string();
    sandbox.run(&["backup", "create", &file]).expect(0);
    assert!(status().contains("last backup 20"), "{}", status());
    let metrics = sandbox.path("node.prom").display().to_string();
    sandbox
        .run(&["startup", "--metrics-file", &metrics])
        .expect(0);
    let text = fs::read_to_string(&metrics).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse::<i64>().unwrap()
    };
    let made = rows(&sandbox)
        .into_iter()
        .find(|row| row["event"] == "backup_made")
        .unwrap();
    let made = OffsetDateTime::parse(made["last_at"].as_str().unwrap(), &Rfc3339).unwrap();
    let at = value("trustpoint_last_backup_timestamp_seconds ");
    assert_eq!(at, made.unix_timestamp());
    assert!((0..3600).contains(&value("trustpoint_last_backup_age_seconds ")));
}
