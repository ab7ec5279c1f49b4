//! What of a forgotten token is left in free pages of a file.

use super::forget::holds;
use super::{TwoTokens, forget};
use crate::check_ahead::Holder;
use crate::sandbox::Sandbox;

/// Killed after the commit, before the file was rebuilt: the mark is set, and old bytes stand in a
/// free page.
fn forgotten_by_a_dead_command() -> (TwoTokens, String) {
    let node = TwoTokens::new();
    let first = &node.first;
    let blob = format!("SELECT hex(encrypted_dek) FROM pkcs11_token WHERE serial = '{first}'");
    let blob = node.sandbox.sql(&blob).trim().to_owned();
    node.sandbox.sql(&format!(
        "PRAGMA secure_delete = OFF; PRAGMA foreign_keys = ON; CREATE TABLE t (x); \
         INSERT INTO t SELECT encrypted_dek FROM pkcs11_token; DROP TABLE t; \
         DELETE FROM pkcs11_token WHERE serial = '{first}'; PRAGMA user_version = 1;"
    ));
    assert!(holds(&node.sandbox, &blob));
    (node, blob)
}

#[test]
fn the_next_start_finishes_a_removal_that_was_killed() {
    let (node, blob) = forgotten_by_a_dead_command();
    let run = node.sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("scrub_database"), "done");
    assert!(!holds(&node.sandbox, &blob));
    node.is_ready();
}

#[test]
fn the_same_command_finishes_a_removal_that_was_killed() {
    let (node, blob) = forgotten_by_a_dead_command();
    let reader = Holder::of(&node.sandbox, "BEGIN; SELECT 'held' FROM app_version;");
    let said = forget(&node.sandbox, &node.first).expect_error(69, "database_unavailable");
    assert!(said.contains("forgotten already"), "{said}");
    drop(reader);
    // No token has that serial number any more.
    forget(&node.sandbox, &node.first).expect_error(2, "usage");
    assert!(!holds(&node.sandbox, &blob));
}

/// The key of the setup page, as hexadecimal digits, of a node that waits for its setup.
fn clear_key(sandbox: &Sandbox) -> String {
    sandbox.run(&["startup"]).expect(0);
    let key = sandbox
        .sql("SELECT hex(private_key) FROM credential")
        .trim()
        .to_owned();
    assert!(holds(sandbox, &key));
    key
}

#[test]
fn a_setup_beside_a_reader_is_done_and_the_next_start_takes_the_clear_key_out_of_the_file() {
    let sandbox = Sandbox::in_file();
    let key = clear_key(&sandbox);
    sandbox.sql("PRAGMA journal_mode = WAL");
    let reader = Holder::of(&sandbox, "BEGIN; SELECT 'held' FROM app_version;");
    let run = sandbox.setup_softhsm();
    assert_eq!(run.outcome(), "ready");
    assert!(
        run.warnings().contains("the next start tries again"),
        "{}",
        run.stdout
    );
    assert!(holds(&sandbox, &key));
    drop(reader);
    let run = sandbox.run(&["startup", "--require-ready"]).expect(0);
    assert_eq!(run.step("scrub_database"), "done");
    assert!(!holds(&sandbox, &key));
}
