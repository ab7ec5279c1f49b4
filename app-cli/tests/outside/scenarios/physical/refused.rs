//! Not opted in: all four are refused, and nothing is asked of any device.

use serde_json::json;

use super::{OPT_IN, SETUP, ready};
use crate::sandbox::{SOFTHSM, Sandbox};

const MESSAGE: &str = "Physical HSM storage is not yet supported. \
                       Please use SOFTWARE or SOFTHSM storage methods.";

/// A node whose device is out of reach, with or without the cache file.
fn physical(completed: bool, cached: bool) -> Sandbox {
    let mut sandbox = Sandbox::softhsm();
    if !completed {
        sandbox.run(&["setup", "--reset"]).expect(0);
    }
    if !cached {
        sandbox.new_container();
    }
    sandbox.sql("UPDATE key_storage_config SET storage_type = 'physical_hsm'");
    sandbox.set("TRUSTPOINT_HSM_MODULE", &format!("{SOFTHSM}.missing"));
    sandbox.unset("HSM_PIN");
    sandbox
}

#[track_caller]
fn assert_refused(said: &str) {
    let message = said.split(" | ").next().unwrap();
    assert!(message.starts_with(MESSAGE), "{said}");
    assert!(message.contains("hsm.physical"), "{said}");
    assert!(said.contains(OPT_IN), "the hint says how: {said}");
}

#[track_caller]
fn refused(completed: bool, cached: bool, wizard: &str, dek: &str) {
    let sandbox = physical(completed, cached);
    let said = sandbox.fails_unchanged(&["startup"], 13, "storage_unsupported");
    assert_refused(&said);
    // Setup refuses a node that was set up.
    assert_eq!(said.contains("--storage software"), !completed, "{said}");
    let run = sandbox.run(&["startup"]);
    let restore = format!("RESTORE_PHYSICAL_HSM_WIZARD_{wizard}_DEK_{dek}");
    assert_eq!(run.restore_scenario(), restore);
    assert_eq!(run.startup_scenario(), "VERSION_MATCH");
    assert_eq!(run.outcome(), "refused");
    let description = run.text("/description");
    assert!(description.contains("it is refused"), "{description}");
    assert_eq!(run.report["steps"], json!([]));
    assert_eq!(run.report["token"], json!(null));
    let context = &run.report["context"];
    assert_eq!(context["wizard_state"], wizard);
    assert_eq!(context["dek_cache_state"], dek);
    assert_eq!(context["storage_type"], "physical_hsm");
    assert_eq!(context["has_kek"], json!(null), "nobody looked");
    assert_eq!(sandbox.dek_cache().exists(), cached);
}

#[test]
fn completed_dek_cached() {
    refused(true, true, "COMPLETED", "CACHED");
}

#[test]
fn completed_dek_not_cached() {
    refused(true, false, "COMPLETED", "NOT_CACHED");
}

#[test]
fn incomplete_dek_cached() {
    refused(false, true, "INCOMPLETE", "CACHED");
}

#[test]
fn incomplete_dek_not_cached() {
    refused(false, false, "INCOMPLETE", "NOT_CACHED");
}

#[test]
fn an_upgrade_or_a_missing_version_changes_nothing_either() {
    let mut sandbox = physical(true, false);
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    sandbox.fails_unchanged(&["startup"], 13, "storage_unsupported");
    sandbox.sql("DELETE FROM app_version");
    sandbox.fails_unchanged(&["startup"], 13, "storage_unsupported");
}

#[test]
fn setup_is_refused_before_anything_is_made() {
    let mut sandbox = Sandbox::new();
    sandbox.initialise_token();
    sandbox.set(OPT_IN, "false");
    // Nor is it asked for a backup password first.
    for setup in [
        &SETUP[..],
        &[&SETUP[..], &["--no-backup-password"]].concat(),
    ] {
        assert_refused(&sandbox.fails_unchanged(setup, 13, "storage_unsupported"));
    }
    assert!(!sandbox.database().exists());
}

/// Every command that would need the device, on a node that was set up while it was opted in.
#[test]
fn switched_off_again_every_command_is_refused_and_nothing_is_changed() {
    let mut sandbox = ready();
    sandbox.unset(OPT_IN);
    sandbox.unset("HSM_SO_PIN_FILE");
    sandbox.set("TRUSTPOINT_HSM_MODULE", &format!("{SOFTHSM}.missing"));
    let file = sandbox.password_file(crate::sandbox::PASSWORD);
    let password = ["--backup-password-file", file.to_str().unwrap()];
    for (command, takes_password) in [
        (&["startup"][..], false),
        (&["startup", "--dry-run"], false),
        (&["status"], false),
        (&["keys", "show"], false),
        (&["keys", "rotate-kek"], false),
        (&["keys", "set-backup-password"], true),
        (&["recover"], true),
        (&["tls", "renew"], false),
    ] {
        let password = if takes_password { &password[..] } else { &[] };
        let command = [command, password].concat();
        assert_refused(&sandbox.fails_unchanged(&command, 13, "storage_unsupported"));
    }
    let doctor = sandbox.run(&["doctor"]).expect(13);
    assert!(doctor.stdout.contains(MESSAGE), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("opted in"), "{}", doctor.stdout);

    sandbox.unset("TRUSTPOINT_HSM_MODULE");
    sandbox.set(OPT_IN, "true");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn a_value_that_is_neither_true_nor_false_is_a_config_fault() {
    let mut sandbox = Sandbox::software();
    sandbox.set(OPT_IN, "perhaps");
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    for part in ["hsm.physical", "perhaps", OPT_IN] {
        assert!(said.contains(part), "{said}");
    }
}
