//! What of a forgotten token is left in free pages of a file.

use super::forget::holds;
use super::{TwoTokens, forget};
use crate::check_ahead::Holder;

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
