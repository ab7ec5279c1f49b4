//! The first start, and the two scenarios of software storage.

use serde_json::{Value, json};

use super::{Expected, active_fingerprint};
use crate::sandbox::{Run, Sandbox};

const OPEN_SETUP: &str = "configure_storage provide_tls drop_dek_cache set_wizard_state";

fn software(wizard: &str, raw: &str) -> [Value; 6] {
    [
        json!(wizard),
        json!(raw),
        json!("software"),
        Value::Null,
        Value::Null,
        json!(false),
    ]
}

#[test]
fn db_not_initialized() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["startup"]).expect(0);
    let unknown = Value::Null;
    Expected {
        startup: "DB_NOT_INITIALIZED",
        restore: None,
        outcome: "setup_required",
        context: [
            json!("INCOMPLETE"),
            unknown.clone(),
            unknown.clone(),
            unknown.clone(),
            unknown.clone(),
            unknown,
        ],
        steps: OPEN_SETUP,
        tls: "generated",
        wizard: "WIZARD_SETUP_CRYPTO_STORAGE",
        dek_cached: false,
        recorded: true,
    }
    .check(&sandbox, &run);
    assert_eq!(active_fingerprint(&sandbox), run.fingerprint());
    let storage = sandbox.sql("SELECT storage_type FROM key_storage_config");
    assert_eq!(storage.trim(), "software");
}

#[test]
fn db_initialized_no_version_of_a_node_that_was_not_set_up() {
    let sandbox = Sandbox::new();
    let first = sandbox.run(&["startup"]).expect(0);
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    Expected {
        startup: "DB_INITIALIZED_NO_VERSION",
        restore: None,
        outcome: "setup_required",
        context: software("INCOMPLETE", "WIZARD_SETUP_CRYPTO_STORAGE"),
        steps: OPEN_SETUP,
        tls: "database",
        wizard: "WIZARD_SETUP_CRYPTO_STORAGE",
        dek_cached: false,
        recorded: true,
    }
    .check(&sandbox, &run);
    assert_eq!(run.fingerprint(), first.fingerprint());
}

/// C20: the restore follows at once, and an active credential that is readable is kept.
#[test]
fn db_initialized_no_version_of_a_completed_node() {
    let sandbox = Sandbox::software();
    let before = active_fingerprint(&sandbox);
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(&sandbox, &run, "DB_INITIALIZED_NO_VERSION");
    assert_eq!(run.fingerprint(), before);
    let next = sandbox.run(&["startup"]).expect(0);
    assert_eq!(next.startup_scenario(), "VERSION_MATCH");
}

#[test]
fn software_wizard_completed() {
    let sandbox = Sandbox::software();
    let before = active_fingerprint(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(&sandbox, &run, "VERSION_MATCH");
    assert_eq!(run.fingerprint(), before);
    assert!(
        run.warnings().contains("in the clear"),
        "{}",
        run.warnings()
    );
}

#[track_caller]
fn expect_ready(sandbox: &Sandbox, run: &Run, startup: &str) {
    Expected {
        startup,
        restore: Some("RESTORE_SOFTWARE_WIZARD_COMPLETED"),
        outcome: "ready",
        context: software("COMPLETED", "WIZARD_COMPLETED"),
        steps: "provide_tls set_wizard_state",
        tls: "database",
        wizard: "WIZARD_COMPLETED",
        dek_cached: false,
        recorded: true,
    }
    .check(sandbox, run);
}

#[test]
fn software_wizard_incomplete_goes_back_to_the_first_state() {
    let sandbox = Sandbox::software();
    let before = active_fingerprint(&sandbox);
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.put_wizard(&["WIZARD_SETUP_MODE"]);
    let run = sandbox.run(&["startup"]).expect(0);
    Expected {
        startup: "VERSION_MATCH",
        restore: Some("RESTORE_SOFTWARE_WIZARD_INCOMPLETE"),
        outcome: "setup_required",
        context: software("INCOMPLETE", "WIZARD_SETUP_MODE"),
        steps: "provide_tls drop_dek_cache set_wizard_state",
        tls: "database",
        wizard: "WIZARD_SETUP_CRYPTO_STORAGE",
        dek_cached: false,
        recorded: true,
    }
    .check(&sandbox, &run);
    assert_eq!(
        run.fingerprint(),
        before,
        "C10: the active credential stays"
    );
    let credentials = sandbox.sql("SELECT count(*) FROM credential");
    assert_eq!(credentials.trim(), "1");
}

/// A set-up node whose storage configuration is lost is refused: it must not fall back to SOFTWARE.
#[test]
fn no_storage_is_an_unexpected_storage_configuration() {
    for lose in [
        "DELETE FROM key_storage_config",
        "DELETE FROM key_storage_config; DELETE FROM app_version",
    ] {
        for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
            sandbox.sql(lose);
            let said = sandbox.fails_unchanged(&["startup"], 78, "config");
            assert!(said.starts_with("Unexpected storage configuration"));
            let run = sandbox.run(&["startup"]);
            assert_eq!(run.outcome(), "failed");
            let startup = if lose.contains("app_version") {
                "DB_INITIALIZED_NO_VERSION"
            } else {
                "VERSION_MATCH"
            };
            assert_eq!(run.startup_scenario(), startup);
            assert_eq!(run.report["restore_scenario"], Value::Null);
            assert_eq!(run.report["context"]["storage_type"], Value::Null);
        }
    }
}
