//! Faults 1, 3, 8 and 9: the database, the waiting node, the wizard state, the credential.

use std::fs;

use serde_json::Value;

use crate::check_ahead::{EXCLUSIVE, Holder};
use crate::sandbox::{Sandbox, openssl_fingerprint, put};

/// 1: no silent new installation.
#[test]
fn f01_a_database_that_cannot_be_opened_is_never_a_new_installation() {
    let mut sandbox = Sandbox::software();
    {
        let _holder = Holder::of(&sandbox, EXCLUSIVE);
        let said = sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
        assert!(said.contains("locked"), "{said}");
    }
    let aside = sandbox.path("aside.db");
    fs::rename(sandbox.database(), &aside).unwrap();
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    put(&sandbox.database(), "");
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("WIZARD_COMPLETED"), "{said}");
    fs::remove_file(sandbox.database()).unwrap();

    std::os::unix::fs::symlink("/nonexistent/trustpoint.db", sandbox.database()).unwrap();
    sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    fs::remove_file(sandbox.database()).unwrap();
    fs::rename(&aside, sandbox.database()).unwrap();

    let elsewhere = sandbox.path("not-mounted/trustpoint.db");
    sandbox.set("TRUSTPOINT_DATABASE", elsewhere.to_str().unwrap());
    sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert!(!sandbox.path("not-mounted").exists());
    sandbox.unset("TRUSTPOINT_DATABASE");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// 1: for every user, root included, the kernel refuses to open the file.
#[test]
fn f01_an_unreadable_database_is_never_a_new_installation() {
    let sandbox = Sandbox::software();
    let database = sandbox.database();
    let database = database.to_str().unwrap();
    let before = sandbox.picture();
    let strace = ["strace", "-f", "-o", "/dev/null", "-P", database];
    let inject = ["-e", "inject=open,openat:error=EACCES"];
    let run = sandbox.run_under(&[&strace[..], &inject[..]].concat(), &["startup"]);
    let said = run.expect_error(77, "denied");
    assert!(said.contains(database), "{said}");
    assert_eq!(before, sandbox.picture());
}

/// 3: a restart loop would keep the recovery page away from the operator.
#[test]
fn f03_a_node_that_waits_for_its_password_starts_again_and_again() {
    for sandbox in [Sandbox::softhsm(), Sandbox::softhsm_without_password()] {
        sandbox.lose_token();
        for _ in 0..3 {
            sandbox.new_container();
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.outcome(), "recovery_required");
            assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
            let certificate = sandbox.tls("nginx-tls-server-cert.pem");
            assert_eq!(openssl_fingerprint(&certificate), run.fingerprint());
        }
        sandbox.bring_token_back();
        assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    }
}

/// 8: two state files.
#[test]
fn f08_two_wizard_states_are_an_error_that_names_them() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"]);
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    for name in ["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"] {
        assert!(said.contains(name), "{said}");
    }
}

/// 8: no state file: a new container, whose node stays what it was.
#[test]
fn f08_no_wizard_state_on_a_completed_node_opens_no_setup_page() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        sandbox.put_wizard(&[]);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_eq!(run.fingerprint(), before);
        assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
        assert!(run.warnings().contains("repaired"), "{}", run.warnings());
    }
}

/// 8: no TLS files at all.
#[test]
fn f08_lost_tls_files_come_back_from_the_database() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        fs::remove_dir_all(sandbox.tls("")).unwrap();
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        let certificate = sandbox.tls("nginx-tls-server-cert.pem");
        assert_eq!(openssl_fingerprint(&certificate), before);
    }
}

/// 8: no TLS credential: the loss is not passed over in silence.
#[test]
fn f08_a_lost_tls_credential_is_replaced_with_a_warning() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        sandbox.sql("DELETE FROM active_tls_server_credential; DELETE FROM credential");
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.tls_source(), "generated");
        assert!(
            run.warnings().contains("no active TLS server credential"),
            "{}",
            run.warnings()
        );
        let again = sandbox.run(&["startup"]).expect(0);
        assert_eq!(again.tls_source(), "database");
        assert_eq!(again.fingerprint(), run.fingerprint());
    }
}

/// 9: the active credential stays.
#[test]
fn f09_no_version_record_replaces_no_credential() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        let credentials = sandbox.sql("SELECT * FROM credential");
        sandbox.sql("DELETE FROM app_version");
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_eq!(run.fingerprint(), before);
        assert_ne!(run.report["restore_scenario"], Value::Null);
        assert_eq!(sandbox.sql("SELECT * FROM credential"), credentials);
    }
}
