//! Physical HSM: four scenarios, all of them refused, and nothing is asked of any device.

use serde_json::json;

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
fn refused(completed: bool, cached: bool, wizard: &str, dek: &str) {
    let sandbox = physical(completed, cached);
    let said = sandbox.fails_unchanged(&["startup"], 13, "storage_unsupported");
    assert!(said.starts_with(MESSAGE), "{said}");
    let run = sandbox.run(&["startup"]);
    let restore = format!("RESTORE_PHYSICAL_HSM_WIZARD_{wizard}_DEK_{dek}");
    assert_eq!(run.restore_scenario(), restore);
    assert_eq!(run.startup_scenario(), "VERSION_MATCH");
    assert_eq!(run.outcome(), "refused");
    assert_eq!(run.report["steps"], json!([]));
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
