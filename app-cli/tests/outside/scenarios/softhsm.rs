//! The five scenarios of SoftHSM storage, on a real token.

use std::fs;

use serde_json::{Value, json};

use super::{Expected, active_fingerprint};
use crate::sandbox::{Run, Sandbox};

const READY: &str = "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED";
const NOT_CACHED: &str = "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED";
const NEW_KEK: &str = "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED";

fn softhsm(wizard: &str, raw: &str, dek: &str, kek: bool, backup: bool) -> [Value; 6] {
    [
        json!(wizard),
        json!(raw),
        json!("softhsm"),
        json!(dek),
        json!(kek),
        json!(backup),
    ]
}

#[track_caller]
fn expect_ready(sandbox: &Sandbox, run: &Run, startup: &str, raw: &str) {
    Expected {
        startup,
        restore: Some(READY),
        outcome: "ready",
        context: softhsm("COMPLETED", raw, "CACHED", true, true),
        steps: "provide_tls cache_dek set_wizard_state",
        tls: "database",
        wizard: "WIZARD_COMPLETED",
        dek_cached: true,
        recorded: true,
    }
    .check(sandbox, run);
    assert_eq!(run.fingerprint(), active_fingerprint(sandbox));
}

#[test]
fn completed_dek_cached_and_in_a_new_container_it_is_unwrapped_again() {
    let sandbox = Sandbox::softhsm();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(&sandbox, &run, "VERSION_MATCH", "WIZARD_COMPLETED");
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(&sandbox, &run, "VERSION_MATCH", "WIZARD_COMPLETED");
    assert_eq!(run.step("unwrap_dek"), "unchanged");
    assert_eq!(run.step("cache_dek"), "done");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
}

#[test]
fn db_initialized_no_version_is_ready_at_once() {
    let sandbox = Sandbox::softhsm();
    let before = active_fingerprint(&sandbox);
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(
        &sandbox,
        &run,
        "DB_INITIALIZED_NO_VERSION",
        "WIZARD_COMPLETED",
    );
    assert_eq!(run.fingerprint(), before);
}

/// The DEK in the cache is all that is left: it is used, kept, and warned about.
#[test]
fn completed_dek_cached_though_the_token_is_lost() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    let run = sandbox.run(&["startup"]).expect(0);
    Expected {
        startup: "VERSION_MATCH",
        restore: Some(READY),
        outcome: "ready",
        context: softhsm("COMPLETED", "WIZARD_COMPLETED", "CACHED", false, true),
        steps: "provide_tls cache_dek set_wizard_state",
        tls: "database",
        wizard: "WIZARD_COMPLETED",
        dek_cached: true,
        recorded: true,
    }
    .check(&sandbox, &run);
    assert!(run.warnings().contains("cache alone"), "{}", run.warnings());
}

/// C2: a restart keeps waiting, under the same certificate; the database stays as it is.
#[test]
fn new_kek_waits_for_the_password_and_leaves_the_database_untouched() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    let database = |sandbox: &Sandbox| sandbox.picture().remove(&sandbox.database());
    let before = database(&sandbox);
    let mut fingerprints = Vec::new();
    for raw in ["WIZARD_COMPLETED", "WIZARD_AUTO_RESTORE_PASSWORD"] {
        let run = sandbox.run(&["startup"]).expect(0);
        expect_new_kek(&sandbox, &run, "COMPLETED", raw);
        fingerprints.push(run.fingerprint());
        sandbox.new_container();
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_ne!(fingerprints[0], active_fingerprint(&sandbox));
    assert!(before.is_some() && before == database(&sandbox));
}

#[track_caller]
fn expect_new_kek(sandbox: &Sandbox, run: &Run, wizard: &str, raw: &str) {
    Expected {
        startup: "VERSION_MATCH",
        restore: Some(NEW_KEK),
        outcome: "recovery_required",
        context: softhsm(wizard, raw, "NOT_CACHED", false, true),
        steps: "provide_tls drop_dek_cache set_wizard_state announce_recovery",
        tls: "temporary",
        wizard: "WIZARD_AUTO_RESTORE_PASSWORD",
        dek_cached: false,
        recorded: false,
    }
    .check(sandbox, run);
    let steps = run.report["steps"].as_array().unwrap();
    let announced = steps.last().unwrap()["detail"].as_str().unwrap();
    for promise in ["(1)", "(2)", "(3)", "(4)", "recover", "KEK", "password"] {
        assert!(announced.contains(promise), "{announced}");
    }
}

#[test]
fn new_kek_is_checked_first_whatever_the_wizard_says() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_new_kek(&sandbox, &run, "INCOMPLETE", "WIZARD_SETUP_CRYPTO_STORAGE");
}

#[test]
fn new_kek_of_a_token_that_is_there_without_our_key() {
    let sandbox = Sandbox::softhsm();
    sandbox.delete_keks();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_new_kek(&sandbox, &run, "COMPLETED", "WIZARD_COMPLETED");
}

/// C2: the old token is back, so that no password is needed any more.
#[test]
fn new_kek_is_over_when_the_old_token_is_back() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(
        &sandbox,
        &run,
        "VERSION_MATCH",
        "WIZARD_AUTO_RESTORE_PASSWORD",
    );
}

/// C19: no password can help, and the report says so.
#[test]
fn completed_dek_not_cached_without_a_backup_password() {
    let sandbox = Sandbox::softhsm_without_password();
    let before = active_fingerprint(&sandbox);
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_not_cached(&sandbox, &run, false, false);
    assert_eq!(run.fingerprint(), before, "C12: a usable set is kept");
    let warnings = run.warnings();
    for part in ["no password can help", "old token", "backup"] {
        assert!(warnings.contains(part), "{warnings}");
    }
    // It waits on, and the old token helps.
    let again = sandbox.run(&["startup"]).expect(0);
    assert_eq!(again.restore_scenario(), NOT_CACHED);
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
}

#[test]
fn completed_dek_not_cached_where_the_wrapped_dek_is_gone() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = NULL");
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_not_cached(&sandbox, &run, true, true);
    assert!(!run.warnings().contains("no password can help"));
}

#[track_caller]
fn expect_not_cached(sandbox: &Sandbox, run: &Run, kek: bool, backup: bool) {
    Expected {
        startup: "VERSION_MATCH",
        restore: Some(NOT_CACHED),
        outcome: "recovery_required",
        context: softhsm("COMPLETED", "WIZARD_COMPLETED", "NOT_CACHED", kek, backup),
        steps: "provide_tls drop_dek_cache set_wizard_state",
        tls: "database",
        wizard: "WIZARD_AUTO_RESTORE_PASSWORD",
        dek_cached: false,
        recorded: true,
    }
    .check(sandbox, run);
}

/// C12: Nginx has nothing it could start with.
#[test]
fn completed_dek_not_cached_gives_nginx_a_temporary_set_where_it_has_none() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.lose_token();
    sandbox.new_container();
    fs::remove_dir_all(sandbox.tls("")).unwrap();
    let first = sandbox.run(&["startup"]).expect(0);
    assert_eq!(first.restore_scenario(), NOT_CACHED);
    assert_eq!(first.tls_source(), "temporary");
    super::assert_nginx_has(&sandbox, &first.fingerprint());
    assert_ne!(first.fingerprint(), active_fingerprint(&sandbox));
    let again = sandbox.run(&["startup"]).expect(0);
    assert_eq!(again.fingerprint(), first.fingerprint());
}

#[test]
fn incomplete_dek_cached_keeps_the_credential_and_drops_the_cache() {
    let sandbox = Sandbox::softhsm();
    let before = active_fingerprint(&sandbox);
    sandbox.run(&["setup", "--reset"]).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    Expected {
        startup: "VERSION_MATCH",
        restore: Some("RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED"),
        outcome: "setup_required",
        context: softhsm(
            "INCOMPLETE",
            "WIZARD_SETUP_CRYPTO_STORAGE",
            "CACHED",
            true,
            true,
        ),
        steps: "provide_tls drop_dek_cache set_wizard_state",
        tls: "database",
        wizard: "WIZARD_SETUP_CRYPTO_STORAGE",
        dek_cached: false,
        recorded: true,
    }
    .check(&sandbox, &run);
    assert_eq!(run.fingerprint(), before, "C10");
    assert_eq!(sandbox.sql("SELECT count(*) FROM credential").trim(), "1");
}

#[test]
fn incomplete_dek_not_cached_serves_setup_under_one_temporary_certificate() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.lose_token();
    sandbox.new_container();
    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let run = sandbox.run(&["startup"]).expect(0);
        Expected {
            startup: "VERSION_MATCH",
            restore: Some("RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED"),
            outcome: "setup_required",
            context: softhsm(
                "INCOMPLETE",
                "WIZARD_SETUP_CRYPTO_STORAGE",
                "NOT_CACHED",
                false,
                false,
            ),
            steps: "provide_tls drop_dek_cache set_wizard_state",
            tls: "temporary",
            wizard: "WIZARD_SETUP_CRYPTO_STORAGE",
            dek_cached: false,
            recorded: true,
        }
        .check(&sandbox, &run);
        fingerprints.push(run.fingerprint());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_ne!(fingerprints[0], active_fingerprint(&sandbox));
    assert_eq!(sandbox.sql("SELECT count(*) FROM credential").trim(), "1");
}
