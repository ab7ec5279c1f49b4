//! Opted in: what each of the four scenarios does.

use std::fs;

use serde_json::{Value, json};

use super::{SETUP, with_password};
use super::{fails_unchanged, ready, ready_without_password, recover, replace_token};
use crate::sandbox::{Run, Sandbox};
use crate::scenarios::{Expected, active_fingerprint};

fn physical(wizard: &str, raw: &str, dek: &str, kek: bool, backup: bool) -> [Value; 6] {
    [
        json!(wizard),
        json!(raw),
        json!("physical_hsm"),
        json!(dek),
        json!(kek),
        json!(backup),
    ]
}

#[track_caller]
fn expect_ready(sandbox: &Sandbox, run: &Run) {
    Expected {
        startup: "VERSION_MATCH",
        restore: Some("RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_CACHED"),
        outcome: "ready",
        context: physical("COMPLETED", "WIZARD_COMPLETED", "CACHED", true, true),
        steps: "provide_tls cache_dek set_wizard_state",
        tls: "database",
        wizard: "WIZARD_COMPLETED",
        dek_cached: true,
        recorded: true,
    }
    .check(sandbox, run);
    assert_eq!(run.fingerprint(), active_fingerprint(sandbox));
}

#[track_caller]
fn expect_waiting(sandbox: &Sandbox, run: &Run, kek: bool, backup: bool, announced: bool) {
    let steps = if announced {
        "provide_tls drop_dek_cache set_wizard_state announce_recovery"
    } else {
        "provide_tls drop_dek_cache set_wizard_state"
    };
    Expected {
        startup: "VERSION_MATCH",
        restore: Some("RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED"),
        outcome: "recovery_required",
        context: physical("COMPLETED", "WIZARD_COMPLETED", "NOT_CACHED", kek, backup),
        steps,
        tls: "database",
        wizard: "WIZARD_AUTO_RESTORE_PASSWORD",
        dek_cached: false,
        recorded: true,
    }
    .check(sandbox, run);
}

#[track_caller]
fn expect_setup(sandbox: &Sandbox, run: &Run, dek: &str, (kek, backup): (bool, bool), tls: &str) {
    let restore = format!("RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_{dek}");
    let raw = "WIZARD_SETUP_CRYPTO_STORAGE";
    Expected {
        startup: "VERSION_MATCH",
        restore: Some(&restore),
        outcome: "setup_required",
        context: physical("INCOMPLETE", raw, dek, kek, backup),
        steps: "provide_tls drop_dek_cache set_wizard_state",
        tls,
        wizard: raw,
        dek_cached: false,
        recorded: true,
    }
    .check(sandbox, run);
}

#[test]
fn completed_dek_cached_and_in_a_new_container_it_is_unwrapped_again() {
    let sandbox = ready();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    expect_ready(&sandbox, &sandbox.run(&["startup"]).expect(0));
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_ready(&sandbox, &run);
    assert_eq!(run.step("unwrap_dek"), "unchanged");
    assert_eq!(run.step("cache_dek"), "done");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
}

/// The KEK is lost and the password can help: no scenario of its own, and announced all the same.
/// Nginx keeps the credential that it has (C12).
#[test]
fn completed_dek_not_cached_on_a_new_device_until_it_is_recovered_onto() {
    let sandbox = ready();
    let fingerprint = active_fingerprint(&sandbox);
    replace_token(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_waiting(&sandbox, &run, false, true, true);
    assert_eq!(run.fingerprint(), fingerprint);
    let steps = run.report["steps"].as_array().unwrap();
    let announced = steps
        .iter()
        .find(|step| step["step"] == "announce_recovery");
    let announced = announced.unwrap()["detail"].as_str().unwrap();
    for promise in ["(1)", "(2)", "(3)", "(4)", "recover", "officer"] {
        assert!(announced.contains(promise), "{announced}");
    }

    let run = recover(&sandbox).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), fingerprint);
    assert_eq!(run.step("initialise_token"), "unchanged");
    for step in ["generate_kek", "wrap_dek", "cache_dek"] {
        assert_eq!(run.step(step), "done", "{step}");
    }
    sandbox.new_container();
    expect_ready(&sandbox, &sandbox.run(&["startup"]).expect(0));
}

#[test]
fn completed_dek_not_cached_is_over_when_the_old_device_is_back() {
    let sandbox = ready();
    replace_token(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_waiting(&sandbox, &run, false, true, true);
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
}

/// It may only be pulled out, so nothing is concluded from that it is not shown.
#[test]
fn c03_a_device_that_is_away_is_waited_for_and_never_taken_for_lost() {
    let mut sandbox = ready();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    for part in ["pulled out", "officer"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    sandbox.bring_token_back();
    sandbox.unset("TRUSTPOINT_HSM_WAIT");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn completed_dek_not_cached_where_the_wrapped_dek_is_gone() {
    let sandbox = ready();
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = NULL");
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    expect_waiting(&sandbox, &run, true, true, false);
}

/// C19: no password can help, and the report says so.
#[test]
fn completed_dek_not_cached_without_a_backup_password() {
    let sandbox = ready_without_password();
    replace_token(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_waiting(&sandbox, &run, false, false, false);
    let warnings = run.warnings();
    assert!(warnings.contains("no password can help"), "{warnings}");
}

#[test]
fn incomplete_dek_cached_keeps_the_credential_and_drops_the_cache() {
    let sandbox = ready();
    let before = active_fingerprint(&sandbox);
    sandbox.run(&["setup", "--reset"]).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_setup(&sandbox, &run, "CACHED", (true, true), "database");
    assert_eq!(run.fingerprint(), before, "C10");
}

#[test]
fn incomplete_dek_not_cached_serves_setup_under_a_temporary_certificate() {
    let sandbox = ready_without_password();
    sandbox.run(&["setup", "--reset"]).expect(0);
    replace_token(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_setup(&sandbox, &run, "NOT_CACHED", (false, false), "temporary");
    assert_ne!(run.fingerprint(), active_fingerprint(&sandbox));
}

/// Setup would have to make a new DEK in place of the one that the password opens, and says what to
/// do instead; that works.
#[test]
fn incomplete_with_a_lost_kek_is_brought_back_by_the_password() {
    let sandbox = ready();
    let fingerprint = active_fingerprint(&sandbox);
    sandbox.run(&["setup", "--reset"]).expect(0);
    replace_token(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    expect_setup(&sandbox, &run, "NOT_CACHED", (false, true), "temporary");
    let setup = with_password(&sandbox, &SETUP);
    let said = fails_unchanged(&sandbox, &setup, 78, "config");
    assert!(said.contains("trustpointctl recover"), "{said}");

    let run = recover(&sandbox).expect(0);
    assert_eq!(run.fingerprint(), fingerprint);
    sandbox.new_container();
    expect_ready(&sandbox, &sandbox.run(&["startup"]).expect(0));
}

/// A setup that has only begun again goes on by setup: `recover` has nothing to do there.
#[test]
fn incomplete_with_its_kek_is_not_recovered() {
    let sandbox = ready();
    sandbox.run(&["setup", "--reset"]).expect(0);
    let recover = with_password(&sandbox, &["recover"]);
    let said = fails_unchanged(&sandbox, &recover, 78, "config");
    assert!(said.contains("does not wait"), "{said}");
}

/// As of SoftHSM: without a version record nothing is restored before setup is done.
#[test]
fn incomplete_without_a_version_opens_setup() {
    let sandbox = ready();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_INITIALIZED_NO_VERSION");
    assert_eq!(run.report["restore_scenario"], Value::Null);
    assert_eq!(run.outcome(), "setup_required");
}
