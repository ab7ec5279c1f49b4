//! Opted in: every command does what it does with SoftHSM storage, and the device is named.

use serde_json::{Value, json};

use super::{opted_in, ready, ready_without_password, serial};
use crate::sandbox::{PASSWORD, Run, Sandbox};
use crate::scenarios::active_fingerprint;
use crate::terminal::pty::Terminal;

/// What SoftHSM says of its device.
fn assert_is_device(device: &Value, sandbox: &Sandbox) {
    assert_eq!(device["manufacturer"], "SoftHSM project");
    assert_eq!(device["model"], "SoftHSM v2");
    assert_eq!(device["serial"], serial(sandbox));
    let firmware = device["firmware"].as_str().unwrap();
    let (major, minor) = firmware.split_once('.').unwrap();
    assert!(major.parse::<u8>().is_ok() && minor.parse::<u8>().is_ok());
}

#[track_caller]
fn assert_ready(sandbox: &Sandbox) -> Run {
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), active_fingerprint(sandbox));
    run
}

#[test]
fn status_keys_show_and_doctor_name_the_device() {
    let mut sandbox = ready();
    for command in [&["startup"][..], &["startup", "--dry-run"], &["status"]] {
        let run = sandbox.run(command).expect(0);
        assert_eq!(run.report["token"]["label"], "Trustpoint-SoftHSM");
        assert_is_device(&run.report["token"]["device"], &sandbox);
    }
    let keys = sandbox.run(&["keys", "show"]).expect(0);
    assert_is_device(&keys.report["keys"]["token"]["device"], &sandbox);
    sandbox.unset("HSM_SO_PIN_FILE");
    for command in [&["status"][..], &["keys", "show"], &["doctor"]] {
        let said = sandbox.run_human(command).expect(0).stdout;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "\"SoftHSM project\" \"SoftHSM v2\"",
            "firmware",
            &serial(&sandbox),
        ] {
            assert!(said.contains(part), "{command:?}: {part}: {said}");
        }
    }
    let status = sandbox.run_human(&["status"]).expect(0).stdout;
    let storage = "physical HSM \"Trustpoint-SoftHSM\"";
    assert!(status.contains(storage), "{status}");

    let serial = serial(&sandbox);
    sandbox.lose_token();
    let keys = sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(keys.report["keys"]["token"]["device"], Value::Null);
    let status = sandbox.run(&["status"]);
    let said = status.expect_error(69, "hsm_unavailable");
    assert!(said.contains(&serial), "{said}");
    assert_eq!(status.report["token"], Value::Null);
}

#[test]
fn a_healthy_node_passes_every_check() {
    let mut sandbox = ready();
    sandbox.unset("HSM_SO_PIN_FILE");
    let run = sandbox.run(&["doctor"]).expect(0);
    let checks = run.report["checks"].as_array().unwrap();
    let others: Vec<_> = checks
        .iter()
        .filter(|check| check["result"] != "pass")
        .collect();
    assert!(others.is_empty(), "{others:?}");
    for name in ["pin", "kek", "dek", "backup_password"] {
        assert!(checks.iter().any(|check| check["name"] == name), "{name}");
    }
    let storage = checks.iter().find(|check| check["name"] == "storage");
    assert_eq!(storage.unwrap()["detail"], "physical_hsm");
}

#[test]
fn a_new_kek_a_new_certificate_and_a_new_password_last() {
    let sandbox = ready_without_password();
    let rotate = ["keys", "rotate-kek", "--destroy-old"];
    let run = sandbox.run(&rotate).expect(0);
    assert_eq!(run.step("generate_kek"), "done");
    assert_eq!(run.step("destroy_kek"), "done");
    let before = assert_ready(&sandbox);
    assert!(before.warnings().contains("no backup password"));
    sandbox.run(&["tls", "renew"]).expect(0);
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    for command in ["set-backup-password", "verify-backup-password"] {
        sandbox
            .run(&[&["keys", command][..], &file].concat())
            .expect(0);
    }
    let after = assert_ready(&sandbox);
    assert_ne!(after.fingerprint(), before.fingerprint());
    assert_eq!(after.report["warnings"], json!([]));
}

#[test]
fn a_backup_comes_back() {
    let sandbox = ready();
    let file = sandbox.path("node.backup").display().to_string();
    let made = sandbox.run(&["backup", "create", &file]).expect(0);
    assert_eq!(made.report["warnings"], json!([]), "it is sealed");
    let verified = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(
        verified.text("/backup/opens_with/token/answer"),
        "yes",
        "{}",
        verified.stdout
    );
    sandbox.lose_database();
    sandbox.run(&["backup", "restore", &file]).expect(0);
    assert_ready(&sandbox);
}

#[test]
fn the_application_is_told_of_the_dek_and_the_metrics_of_the_password() {
    let sandbox = ready();
    let metrics = sandbox.path("node.prom");
    let metrics = metrics.to_str().unwrap();
    let show = "echo dek=$TRUSTPOINT_DEK_FILE";
    let arguments = ["startup", "--metrics-file", metrics, "--", "sh", "-c", show];
    let run = sandbox.run_human(&arguments).expect(0);
    let cache = sandbox.dek_cache();
    let expected = format!("dek={}", cache.display());
    assert!(run.stdout.contains(&expected), "{}", run.stdout);
    let metrics = std::fs::read_to_string(metrics).unwrap();
    assert!(
        metrics.contains("trustpoint_backup_password_set 1"),
        "{metrics}"
    );
    assert!(metrics.contains("trustpoint_dek_cached 1"), "{metrics}");
}

#[test]
fn setup_offers_it_at_a_terminal() {
    let sandbox = opted_in();
    sandbox.initialise_token();
    let mut terminal = Terminal::run(&sandbox, &["setup"]);
    terminal.expect("3  physical_hsm");
    terminal.answer("Storage [1, 2, 3 or its name]: ", "3");
    terminal.answer("spaces between [127.0.0.1]: ", "");
    terminal.answer_unseen("New backup password: ", PASSWORD);
    terminal.answer_unseen("New backup password again: ", PASSWORD);
    terminal.end().expect(0).never_shows(PASSWORD);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.report["context"]["storage_type"], "physical_hsm");
}
