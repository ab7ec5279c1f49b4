//! `doctor`: each check, seen passing and seen not passing; nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{Run, Sandbox, is_on_server, put};

/// Result of each check by its name; each that is not passed has a hint.
fn checks(run: &Run) -> BTreeMap<String, String> {
    let checks = run.report["checks"].as_array().unwrap();
    let text = |check: &serde_json::Value, field: &str| check[field].as_str().unwrap().to_owned();
    for check in checks {
        let passed = check["result"] == "pass";
        assert!(passed || !text(check, "hint").is_empty(), "{check}");
        assert!(!text(check, "detail").is_empty(), "{check}");
    }
    checks
        .iter()
        .map(|check| (text(check, "name"), text(check, "result")))
        .collect()
}

/// Runs it, and sees that it changes nothing.
#[track_caller]
fn doctor(sandbox: &Sandbox) -> Run {
    let before = sandbox.picture();
    let run = sandbox.run(&["doctor"]);
    let after = sandbox.picture();
    assert_eq!(before, after, "doctor has changed something");
    run
}

/// One check is as it should be, and the exit code with it.
#[track_caller]
fn assert_check(run: &Run, name: &str, result: &str, code: i32) {
    let checks = checks(run);
    assert_eq!(
        checks.get(name).map(String::as_str),
        Some(result),
        "{checks:#?}"
    );
    assert_eq!(run.code, code, "{}", run.stdout);
    assert_eq!(run.report["exit_code"], code);
}

#[test]
fn a_healthy_node_passes_every_check() {
    let sandbox = Sandbox::softhsm();
    let run = doctor(&sandbox).expect(0);
    let checks = checks(&run);
    let others: Vec<_> = checks
        .iter()
        .filter(|(_, result)| *result != "pass")
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let of_database = if is_on_server() {
        ["mode_data_directory", "room_data_directory"]
    } else {
        ["mode_database", "room_database"]
    };
    for name in of_database {
        assert!(checks.contains_key(name), "{name}");
    }
    for name in [
        "mode_tls_key",
        "database_writable",
        "runtime_tmpfs",
        "database",
        "database_integrity",
        "version",
        "wizard_state",
        "storage",
        "backup_password",
        "hsm_daemon",
        "hsm_module",
        "hsm_token",
        "pin_budget",
        "pin",
        "kek",
        "dek",
        "token_copies",
        "dek_cache",
        "certificate",
        "certificate_validity",
        "nginx_tls_set",
        "room_runtime",
    ] {
        assert!(checks.contains_key(name), "{name}");
    }
}

#[test]
fn a_software_node_and_a_new_one_fail_nothing() {
    let run = doctor(&Sandbox::software());
    assert_check(&run, "storage", "warn", 0);
    assert_check(&run, "hsm", "pass", 0);
    let run = doctor(&Sandbox::new());
    assert_check(&run, "database", "warn", 0);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_database_that_others_can_read() {
    let sandbox = Sandbox::software();
    set_mode(&sandbox.database(), 0o644);
    let run = doctor(&sandbox);
    assert_check(&run, "mode_database", "fail", 78);
    assert!(
        run.text("/error/hint").contains("chmod 0600"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_key_that_others_can_read() {
    let sandbox = Sandbox::software();
    let key = sandbox.tls("nginx-tls-server-key.key");
    set_mode(&fs::canonicalize(key).unwrap(), 0o640);
    assert_check(&doctor(&sandbox), "mode_tls_key", "fail", 78);
}

#[test]
fn a_damaged_database() {
    let sandbox = Sandbox::software();
    // A reference to nothing is damage that no page shows.
    sandbox.sql("PRAGMA foreign_keys = OFF; DELETE FROM credential");
    assert_check(&doctor(&sandbox), "database_integrity", "fail", 65);
    let mut bytes = fs::read(sandbox.database()).unwrap();
    bytes[8192..12288].fill(0x5a);
    put(&sandbox.database(), &bytes);
    assert_check(&doctor(&sandbox), "database", "fail", 65);
    put(&sandbox.database(), "noise");
    assert_check(&doctor(&sandbox), "database", "fail", 65);
}

#[test]
fn versions() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_APP_VERSION", "0.0.1");
    assert_check(&doctor(&sandbox), "version", "fail", 12);
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    assert_check(&doctor(&sandbox), "version", "warn", 0);
    sandbox.sql("UPDATE app_version SET version = 'banana'");
    assert_check(&doctor(&sandbox), "version", "fail", 65);
}

#[test]
fn wizard_states() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_SETUP_CRYPTO_STORAGE"]);
    assert_check(&doctor(&sandbox), "wizard_state", "warn", 0);
    sandbox.put_wizard(&["WIZARD_SETUP_MODE"]);
    assert_check(&doctor(&sandbox), "wizard_state", "warn", 0);
    sandbox.put_wizard(&["WIZARD_SETUP_MODE", "WIZARD_COMPLETED"]);
    assert_check(&doctor(&sandbox), "wizard_state", "fail", 65);
    sandbox.put_wizard(&["WIZARD_COMPLETED"]);
    sandbox.lose_database();
    assert_check(&doctor(&sandbox), "wizard_state", "fail", 65);
}

#[test]
fn a_module_and_a_daemon_that_cannot_be_reached() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    let run = doctor(&sandbox);
    assert!(run.code == 69 || run.code == 78, "{}", run.stdout);
    assert_eq!(checks(&run)["hsm_module"], "fail");
    assert_eq!(checks(&run)["hsm_token"], "warn");
    sandbox.configure_module();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "unix:/nonexistent/daemon");
    assert_check(&doctor(&sandbox), "hsm_daemon", "fail", 69);
    assert_check(&doctor(&sandbox), "hsm_module", "warn", 69);
}

#[test]
fn c22_a_runtime_directory_that_is_no_tmpfs() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_RUNTIME_DIR", "/proc/trustpoint");
    assert_check(&doctor(&sandbox), "runtime_tmpfs", "fail", 78);
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_RUNTIME_DIR", "/proc/trustpoint");
    assert_check(&doctor(&sandbox), "runtime_tmpfs", "warn", 0);
}

#[test]
fn a_lost_token_and_a_lost_kek() {
    let sandbox = Sandbox::softhsm();
    sandbox.delete_keks();
    let run = doctor(&sandbox);
    assert_check(&run, "kek", "fail", 69);
    assert_check(&run, "dek_last_copy", "warn", 69);
    assert!(
        run.text("/error/hint").contains("recover"),
        "{}",
        run.stdout
    );
    sandbox.lose_token();
    sandbox.new_container();
    let run = doctor(&sandbox);
    assert_check(&run, "hsm_token", "fail", 69);
    assert_eq!(checks(&run)["certificate"], "warn");
}

#[test]
fn c18_a_wrong_pin_is_tried_once_and_not_again() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.new_container();
    sandbox.set("HSM_PIN", "0000-0000");
    let calls = |sandbox: &Sandbox| {
        let run = doctor(sandbox);
        assert_check(&run, "pin", "fail", 77);
        assert_check(&run, "kek", "warn", 77);
        run.report["checks"].to_string()
    };
    assert!(calls(&sandbox).contains("CKR_PIN_INCORRECT"));
    for _ in 0..2 {
        let said = calls(&sandbox);
        assert!(said.contains("not tried again"), "{said}");
        assert!(!said.contains("CKR_PIN_INCORRECT"), "{said}");
    }
    sandbox.set("HSM_PIN", crate::sandbox::PIN);
    doctor(&sandbox).expect(0);
}

#[test]
fn c18_a_count_of_wrong_pins_that_is_low_is_warned_about() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.new_container();
    sandbox.set("HSM_PIN", "0000-0000");
    assert_check(&doctor(&sandbox), "pin", "fail", 77);
    assert_check(&doctor(&sandbox), "pin_budget", "warn", 77);
}

#[test]
fn a_wrapped_dek_with_a_flipped_bit_and_no_backup_password() {
    let sandbox = Sandbox::softhsm_without_password();
    assert_check(&doctor(&sandbox), "backup_password", "warn", 0);
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = encrypted_dek || x'00'");
    assert_check(&doctor(&sandbox), "dek", "fail", 65);
}

#[test]
fn certificates_that_cannot_serve() {
    let sandbox = Sandbox::software();
    let certificate = sandbox.sql("SELECT certificate_pem FROM credential");
    sandbox.run(&["tls", "renew"]).expect(0);
    // The certificate of one, the key of the other.
    sandbox.sql(&format!(
        "UPDATE credential SET certificate_pem = '{}'",
        certificate.trim_end()
    ));
    assert_check(&doctor(&sandbox), "certificate", "fail", 65);
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    assert_check(&doctor(&sandbox), "nginx_tls_set", "fail", 65);
}

#[test]
fn a_set_that_is_not_the_active_credential() {
    let sandbox = Sandbox::software();
    let tls = sandbox.root("etc/trustpoint/tls");
    let aside = sandbox.path("aside");
    fs::rename(&tls, &aside).unwrap();
    sandbox.run(&["tls", "renew"]).expect(0);
    fs::remove_dir_all(&tls).unwrap();
    fs::rename(&aside, &tls).unwrap();
    assert_check(&doctor(&sandbox), "nginx_tls_set", "warn", 0);
}

#[test]
fn for_people_problems_stand_first_with_their_hints_and_fit_a_screen() {
    let sandbox = Sandbox::software();
    sandbox.damage_database();
    let run = sandbox.run_human(&["doctor"]).expect(65);
    let first = run.stdout.lines().next().unwrap();
    assert!(first.starts_with("fail  database "), "{}", run.stdout);
    assert!(run.stdout.contains("hint: "), "{}", run.stdout);
    let last = run.stdout.lines().next_back().unwrap();
    assert!(last.ends_with(" failed"), "{last}");
    // A path stays whole.
    let root = sandbox.path("root").display().to_string();
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 80 || line.contains(&root), "{line}");
    }
    assert!(run.stderr.contains("checks failed"), "{}", run.stderr);
}
