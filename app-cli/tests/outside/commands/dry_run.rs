//! `startup --dry-run`: the steps of the start that would follow, and not a trace of itself.

use super::{changes_nothing, steps};
use crate::sandbox::Sandbox;
use crate::scenarios::physical;

/// A dry run changes nothing, and the start that follows does what it planned.
#[track_caller]
fn plans_what_the_start_does(sandbox: &Sandbox) {
    let dry = changes_nothing(sandbox, || sandbox.run(&["startup", "--dry-run"]));
    let run = sandbox.run(&["startup"]);
    assert_eq!(dry.code, run.code, "{}", dry.stdout);
    for key in [
        "outcome",
        "startup_scenario",
        "restore_scenario",
        "description",
        "version",
        "exit_code",
        "error",
    ] {
        assert_eq!(dry.report[key], run.report[key], "{key}");
    }
    assert_eq!(steps(&dry.report), steps(&run.report));
    for step in dry.report["steps"].as_array().unwrap() {
        assert_eq!(step["result"], "planned", "{step}");
    }
}

#[test]
fn on_a_fresh_node() {
    let sandbox = Sandbox::new();
    plans_what_the_start_does(&sandbox);
    let sandbox = Sandbox::new();
    sandbox.run(&["startup", "--dry-run"]).expect(0);
    assert!(!sandbox.path("root").exists(), "not even a directory");
    assert_eq!(sandbox.store().count().unwrap(), 0);
}

#[test]
fn on_software_nodes() {
    let mut sandbox = Sandbox::software();
    plans_what_the_start_does(&sandbox);
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    plans_what_the_start_does(&sandbox);
    sandbox.set("TRUSTPOINT_APP_VERSION", "98.0.0");
    plans_what_the_start_does(&sandbox);
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    sandbox.run(&["setup", "--reset"]).expect(0);
    plans_what_the_start_does(&sandbox);
}

#[test]
fn on_softhsm_nodes() {
    let sandbox = Sandbox::softhsm();
    plans_what_the_start_does(&sandbox);
    sandbox.new_container();
    plans_what_the_start_does(&sandbox);
    sandbox.lose_token();
    sandbox.new_container();
    plans_what_the_start_does(&sandbox);
    sandbox.bring_token_back();
    plans_what_the_start_does(&sandbox);
    sandbox.run(&["setup", "--reset"]).expect(0);
    plans_what_the_start_does(&sandbox);
}

#[test]
fn on_nodes_with_a_physical_hsm() {
    let sandbox = physical::ready();
    plans_what_the_start_does(&sandbox);
    physical::replace_token(&sandbox);
    plans_what_the_start_does(&sandbox);
    sandbox.bring_token_back();
    sandbox.run(&["setup", "--reset"]).expect(0);
    plans_what_the_start_does(&sandbox);
}

#[test]
fn of_a_start_that_is_refused_or_fails() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE key_storage_config SET storage_type = 'physical_hsm'");
    plans_what_the_start_does(&sandbox);
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE credential SET private_key = 'no key'");
    plans_what_the_start_does(&sandbox);
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    plans_what_the_start_does(&sandbox);
}

/// C18: with the DEK in the cache nobody logs in, so that a wrong PIN is not even tried.
#[test]
fn uses_up_no_pin_while_the_dek_is_cached() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("HSM_PIN", "wrong-4711");
    for command in [&["startup", "--dry-run"][..], &["status"]] {
        let run = changes_nothing(&sandbox, || sandbox.run(command)).expect(0);
        assert_eq!(run.outcome(), "ready");
    }
}

#[test]
fn does_not_run_the_command() {
    let sandbox = Sandbox::software();
    let marker = sandbox.path("marker");
    let marker = marker.to_str().unwrap();
    let run = sandbox.run(&["startup", "--dry-run", "--", "touch", marker]);
    run.expect(0);
    assert!(!sandbox.path("marker").exists());
}
