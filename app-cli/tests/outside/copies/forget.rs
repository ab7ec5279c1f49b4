//! `keys forget-token`: what it removes, and what it refuses to.

use super::{TwoTokens, forget, forget_with_password, is_ready, kept_for, recover, serials};
use crate::sandbox::{PASSWORD, Sandbox};

#[test]
fn a_stolen_token_is_forgotten() {
    let node = TwoTokens::new();
    let blob = format!(
        "SELECT hex(encrypted_dek) FROM pkcs11_token WHERE serial = '{}'",
        node.first
    );
    let blob = node.sandbox.sql(&blob);
    assert!(holds(&node.sandbox, blob.trim()));
    let second = kept_for(&node.sandbox, &node.second);
    let run = forget(&node.sandbox, &node.first).expect(0);
    assert_eq!(run.step("forget_token"), "done");
    assert!(
        run.warnings().contains("backups and snapshots made before"),
        "{}",
        run.warnings()
    );
    assert_eq!(serials(&node.sandbox), node.second);
    assert_eq!(kept_for(&node.sandbox, &node.second), second);
    assert!(!holds(&node.sandbox, blob.trim()), "nothing of it is left");
    let history = node.sandbox.run(&["history"]).expect(0);
    assert_eq!(history.text("/history/0/event"), "token_forgotten");
    let detail = history.text("/history/0/detail");
    assert!(detail.contains(&node.first), "{detail}");

    node.sandbox.new_container();
    node.is_ready();
    node.swap();
    let run = node.sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    let said = forget(&node.sandbox, &node.first).expect_error(2, "usage");
    assert!(said.contains(&node.second), "{said}");
}

/// The token is stolen, and there is no other one yet.
#[test]
fn a_stolen_token_is_forgotten_before_the_node_is_recovered() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let serial = serials(&sandbox);
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let arguments = ["keys", "forget-token", &serial, "--yes"];
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("--backup-password-file"), "{said}");
    let run = forget_with_password(&sandbox, &serial, PASSWORD).expect(0);
    assert!(
        run.warnings().contains("the backup password alone does"),
        "{}",
        run.warnings()
    );
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    sandbox.run(&["keys", "show"]).expect(0);
    sandbox.run_human(&["keys", "show"]).expect(0);
    let run = recover(&sandbox).expect(0);
    assert_eq!(run.report["other_copies"], serde_json::json!([]));
    sandbox.new_container();
    is_ready(&sandbox, &fingerprint);
}

#[test]
fn the_last_way_to_the_dek_is_not_forgotten() {
    let sandbox = Sandbox::softhsm_without_password();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let first = serials(&sandbox);
    let arguments = ["keys", "forget-token", &first, "--yes"];
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("set-backup-password"), "{said}");
    // Its token is away, and the cache is no way that lasts.
    sandbox.lose_token();
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("last way"), "{said}");
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    // Another token has the DEK now, and proves it.
    sandbox.lose_runtime();
    forget(&sandbox, &first).expect(0);
    is_ready(&sandbox, &fingerprint);
}

/// A token that is not seen may be the one in use all the same, and a password that is set may be one
/// that nobody knows.
#[test]
fn a_token_that_is_merely_not_seen_is_not_forgotten_without_a_proof() {
    let mut sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let serial = serials(&sandbox);
    let arguments = ["keys", "forget-token", &serial, "--yes"];
    sandbox.fails_unchanged(&arguments, 78, "config");
    sandbox.set("TRUSTPOINT_HSM_TOKEN_LABEL", "typo");
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("last way"), "{said}");
    sandbox.unset("TRUSTPOINT_HSM_TOKEN_LABEL");
    sandbox.lose_token();
    sandbox.fails_unchanged(&arguments, 78, "config");
    sandbox.bring_token_back();
    sandbox.new_container();
    is_ready(&sandbox, &fingerprint);
}

/// A second copy proves nothing while its own token is away, or its KEK is gone.
#[test]
fn a_copy_that_nothing_opens_is_no_other_way() {
    let node = TwoTokens::new();
    node.sandbox
        .sql("UPDATE sealing SET bek_encrypted_dek = NULL, bek_set_at = NULL");
    node.sandbox.delete_keks();
    let arguments = ["keys", "forget-token", &node.first, "--yes"];
    let said = node.sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("last way"), "{said}");
    node.swap();
    node.is_ready();
}

#[test]
fn the_token_in_use_is_forgotten_only_with_a_password_that_is_proven() {
    let node = TwoTokens::new();
    let arguments = ["keys", "forget-token", &node.second, "--yes"];
    let said = node.sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("--backup-password-file"), "{said}");
    let before = node.sandbox.picture();
    let wrong = "wrong horse battery staple";
    forget_with_password(&node.sandbox, &node.second, wrong).expect_error(77, "denied");
    assert_eq!(node.sandbox.picture(), before);
    forget_with_password(&node.sandbox, &node.second, PASSWORD).expect(0);
    node.sandbox.new_container();
    let run = node.sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    recover(&node.sandbox).expect(0);
    node.sandbox.new_container();
    node.is_ready();
}

/// The old token opens nothing any more: nobody is told to bring it back.
#[test]
fn what_is_said_of_a_dek_that_is_wrapped_for_no_token_is_true() {
    let sandbox = Sandbox::softhsm();
    let serial = serials(&sandbox);
    let run = forget_with_password(&sandbox, &serial, PASSWORD).expect(0);
    assert!(run.warnings().contains("rotate-kek"), "{}", run.warnings());
    let screen = |command: &[&str]| {
        let run = sandbox.run_human(command);
        let said = format!("{}{}", run.stdout, run.stderr);
        for untrue in [
            "no token yet",
            "old token",
            "unknown format",
            "not looked for",
        ] {
            assert!(!said.contains(untrue), "{untrue}: {said}");
        }
        said
    };
    let said = screen(&["status"]);
    assert!(said.contains("wrapped for no token"), "{said}");
    assert!(said.contains("rotate-kek"), "{said}");
    let said = screen(&["keys", "show"]);
    assert!(said.contains("DEK: wrapped for no token"), "{said}");
    assert!(said.contains("KEK: none"), "{said}");

    sandbox.new_container();
    let said = screen(&["startup"]);
    assert!(said.contains("trustpointctl recover"), "{said}");
    let said = screen(&["status"]);
    assert!(said.contains("wrapped for no token"), "{said}");
}

#[test]
fn a_token_that_cannot_be_asked_is_no_token_that_is_away() {
    let mut node = TwoTokens::new();
    node.sandbox
        .set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    for serial in [node.first.clone(), node.second.clone()] {
        let run = forget(&node.sandbox, &serial);
        assert_ne!(run.code, 0, "{}", run.stdout);
        assert!(serials(&node.sandbox).contains(&serial));
    }
    // A password that is proven needs no token.
    forget_with_password(&node.sandbox, &node.first, PASSWORD).expect(0);
    node.sandbox.unset("TRUSTPOINT_HSM_MODULE");
    node.sandbox.new_container();
    node.is_ready();
}

pub(super) fn holds(sandbox: &Sandbox, blob: &str) -> bool {
    let pairs = blob.as_bytes().chunks(2);
    let bytes: Vec<_> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    sandbox.holds(&bytes)
}

#[test]
fn without_a_terminal_forgetting_needs_yes() {
    let node = TwoTokens::new();
    let arguments = ["keys", "forget-token", &node.first];
    let said = node.sandbox.fails_unchanged(&arguments, 2, "usage");
    assert!(said.contains("--yes"), "{said}");
}
