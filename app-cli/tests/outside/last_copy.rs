//! The last copy of a DEK: no command loses it, and no hint says what would.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{PASSWORD, Run, Sandbox, put};

/// A ready node without a backup password whose KEK is gone: the cache has the last copy.
fn cache_alone(lose: fn(&Sandbox)) -> Sandbox {
    let sandbox = Sandbox::softhsm_without_password();
    lose(&sandbox);
    sandbox
}

fn lose_token(sandbox: &Sandbox) {
    sandbox.lose_token();
}

fn break_blob(sandbox: &Sandbox) {
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = encrypted_dek || x'00'");
}

/// Every way to lose the KEK's way to the DEK.
const LOSSES: [fn(&Sandbox); 3] = [Sandbox::delete_keks, lose_token, break_blob];

/// A backup with another DEK, of another node.
fn backup_of_another(node: &Sandbox) -> String {
    let other = Sandbox::softhsm();
    let made = other.path("other.backup");
    other
        .run(&["backup", "create", made.to_str().unwrap()])
        .expect(0);
    let file = node.path("other.backup");
    fs::copy(made, &file).unwrap();
    file.to_str().unwrap().to_owned()
}

fn restore(file: &str) -> [&str; 4] {
    ["backup", "restore", file, "--accept-other-installation"]
}

fn mode(sandbox: &Sandbox, mode: u32) {
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn c22_a_restore_over_the_last_copy_is_refused_until_it_is_wrapped_again() {
    for lose in LOSSES {
        let sandbox = cache_alone(lose);
        let dek = fs::read(sandbox.dek_cache()).unwrap();
        let file = backup_of_another(&sandbox);
        let said = sandbox.fails_unchanged(&restore(&file), 78, "config");
        assert!(said.contains("keys rotate-kek"), "{said}");
        assert!(said.contains("last copy"), "{said}");
        assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
        sandbox.run(&["keys", "rotate-kek"]).expect(0);
        let run = sandbox.run(&restore(&file)).expect(0);
        assert_eq!(run.step("drop_dek_cache"), "done");
        assert!(!sandbox.dek_cache().exists());
    }
}

#[test]
fn c22_a_restore_where_the_token_cannot_be_asked_loses_no_dek() {
    let mut sandbox = Sandbox::softhsm_without_password();
    let file = backup_of_another(&sandbox);
    sandbox.set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    let said = sandbox.fails_unchanged(&restore(&file), 78, "config");
    assert!(said.contains("/nonexistent/module.so"), "{said}");
    sandbox.configure_module();
    let run = sandbox.run(&restore(&file)).expect(0);
    assert_eq!(run.step("drop_dek_cache"), "done", "the KEK unwraps it");
}

#[test]
fn c22_a_restore_keeps_a_copy_that_it_cannot_judge() {
    // Not trusted, and the last one for all that is known.
    let sandbox = cache_alone(Sandbox::delete_keks);
    let file = backup_of_another(&sandbox);
    mode(&sandbox, 0o640);
    let said = sandbox.fails_unchanged(&restore(&file), 78, "config");
    assert!(said.contains("0600"), "{said}");
    mode(&sandbox, 0o600);
    // Nobody can say whose it is, where the database is damaged.
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    put(&sandbox.database(), "noise");
    let run = sandbox.run(&restore(&file)).expect(0);
    assert_eq!(run.step("drop_dek_cache"), "skipped");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
}

/// Message, hint and every check of a run, without what warns of a restart.
fn advice(run: &Run) -> String {
    let mut advice = run.text("/error/hint");
    for check in run.report["checks"].as_array().into_iter().flatten() {
        let name = check["name"].as_str().unwrap_or_default();
        if ["kek", "dek", "hsm_token", "dek_last_copy"].contains(&name) && check["result"] != "pass"
        {
            advice.push_str(check["hint"].as_str().unwrap_or_default());
        }
    }
    advice
}

#[test]
fn no_hint_advises_what_loses_the_last_copy() {
    for lose in LOSSES {
        let sandbox = cache_alone(lose);
        let file = sandbox.password_file(PASSWORD);
        let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
        for command in [&["doctor"][..], &["startup"], &recover] {
            let run = sandbox.run(command);
            if run.code == 0 {
                let warnings = run.warnings();
                assert!(warnings.contains("keys rotate-kek"), "{warnings}");
                continue;
            }
            let advice = advice(&run);
            assert!(advice.contains("keys rotate-kek"), "{command:?}: {advice}");
            for harmful in ["recover`", "startup`", "backup restore"] {
                assert!(!advice.contains(harmful), "{command:?}: {advice}");
            }
        }
        sandbox.run(&["keys", "rotate-kek"]).expect(0);
        sandbox.new_container();
        assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    }
}

#[test]
fn a_setup_makes_no_new_dek_beside_a_copy_that_it_cannot_judge() {
    let sandbox = cache_alone(Sandbox::delete_keks);
    sandbox.run(&["setup", "--reset"]).expect(0);
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    mode(&sandbox, 0o640);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let said = sandbox.fails_unchanged(&setup, 78, "config");
    assert!(said.contains("0600"), "{said}");
    mode(&sandbox, 0o600);
    sandbox.run(&["startup"]).expect(0);
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek, "kept");
    sandbox.run(&setup).expect(0);
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    sandbox.new_container();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// The blob is broken, and the cache has the DEK: a setup that is begun again uses it.
#[test]
fn a_setup_uses_the_cached_dek_where_the_blob_is_broken() {
    let sandbox = Sandbox::softhsm_without_password();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.run(&["setup", "--reset"]).expect(0);
    break_blob(&sandbox);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    sandbox.run(&setup).expect(0);
    sandbox.new_container();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
}

#[test]
fn c22_a_cache_that_is_not_trusted_is_kept_while_nothing_else_has_the_dek() {
    let sandbox = Sandbox::softhsm_without_password();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.lose_token();
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o640)).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(run.step("drop_dek_cache"), "skipped");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// The database's volume is away, and the image's wizard state is a new one.
#[test]
fn c22_a_start_without_a_database_keeps_a_cached_dek() {
    let sandbox = cache_alone(lose_token);
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let away = sandbox.path("away");
    let database = sandbox.keep_database();
    sandbox.lose_database();
    fs::rename(sandbox.path("root/var/lib/trustpoint"), &away).unwrap();
    fs::remove_dir_all(sandbox.path("root/etc/trustpoint/wizard")).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("drop_dek_cache"), "skipped");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    fs::remove_dir_all(sandbox.path("root/var/lib/trustpoint")).unwrap();
    fs::rename(&away, sandbox.path("root/var/lib/trustpoint")).unwrap();
    sandbox.put_database_back(&database);
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// A token whose volume was only not mounted while the hint of the start was followed.
#[test]
fn c22_a_rotation_onto_another_token_keeps_what_the_first_one_wraps() {
    let sandbox = Sandbox::softhsm_without_password();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    let serial = sandbox.sql("SELECT serial FROM pkcs11_token");
    sandbox.lose_token();
    sandbox.run(&["startup"]).expect(0);
    let run = sandbox.run(&["keys", "rotate-kek"]).expect(0);
    let forget = format!("keys forget-token {}", serial.trim());
    assert!(run.warnings().contains(&forget), "{}", run.warnings());
    sandbox.bring_token_back();
    sandbox.lose_runtime();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        (run.outcome().as_str(), run.fingerprint()),
        ("ready", before)
    );
}
