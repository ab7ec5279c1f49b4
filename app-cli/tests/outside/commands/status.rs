//! `status`: fit for a health check.

use super::changes_nothing;
use crate::sandbox::{Run, Sandbox};

#[track_caller]
fn status(sandbox: &Sandbox, code: i32, outcome: &str) -> Run {
    let run = changes_nothing(sandbox, || sandbox.run(&["status"])).expect(code);
    assert_eq!(run.outcome(), outcome);
    assert_eq!(run.text("/command"), "status");
    run
}

#[test]
fn says_what_the_next_start_would_select() {
    let sandbox = Sandbox::new();
    let run = status(&sandbox, 10, "setup_required");
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    assert!(!sandbox.path("root").exists());
    sandbox.run(&["startup"]).expect(0);
    status(&sandbox, 10, "setup_required");

    let mut sandbox = Sandbox::softhsm();
    let run = status(&sandbox, 0, "ready");
    let started = sandbox.run(&["startup"]).expect(0);
    for key in ["startup_scenario", "restore_scenario", "version", "tls"] {
        assert_eq!(run.report[key], started.report[key], "{key}");
    }
    sandbox.new_container();
    let run = status(&sandbox, 0, "ready");
    assert_eq!(run.report["context"], started.report["context"]);

    sandbox.lose_token();
    let run = status(&sandbox, 11, "recovery_required");
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    sandbox.bring_token_back();

    sandbox.sql("UPDATE app_version SET version = '99.0.0'");
    status(&sandbox, 12, "refused").expect_error(12, "version_downgrade");
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    sandbox.sql("UPDATE key_storage_config SET storage_type = 'physical_hsm'");
    status(&sandbox, 13, "refused").expect_error(13, "storage_unsupported");
}

#[test]
fn says_what_the_next_start_would_fail_with() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    status(&sandbox, 65, "failed").expect_error(65, "data_corrupt");
    sandbox.put_wizard(&["WIZARD_COMPLETED"]);
    sandbox.sql("UPDATE credential SET private_key = 'no key'");
    status(&sandbox, 65, "failed").expect_error(65, "data_corrupt");
}

#[test]
fn makes_one_try_at_an_hsm_that_is_away() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "unix:/nonexistent/socket");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1000days");
    status(&sandbox, 69, "failed").expect_error(69, "hsm_unavailable");
}

#[test]
fn require_ready_makes_a_start_that_waits_a_failure_of_its_own_code() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["startup", "--require-ready"]).expect(10);
    assert_eq!(run.outcome(), "setup_required");
    assert_eq!(run.report["exit_code"], 10);
    assert_eq!(run.report["error"], serde_json::Value::Null);
    assert_eq!(
        sandbox.wizard(),
        "WIZARD_SETUP_CRYPTO_STORAGE",
        "it started"
    );

    let sandbox = Sandbox::softhsm();
    sandbox.run(&["startup", "--require-ready"]).expect(0);
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup", "--require-ready"]).expect(11);
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
}

#[test]
fn says_to_people_which_storage_was_chosen_and_none_that_was_not() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let shown = sandbox.run_human(&["status"]).expect(10).stdout;
    assert!(shown.contains("not chosen yet"), "{shown}");
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let shown = sandbox.run_human(&["status"]).expect(0).stdout;
    assert!(shown.contains("software: private keys"), "{shown}");
}
