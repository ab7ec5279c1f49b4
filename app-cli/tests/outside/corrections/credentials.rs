//! C10, C12, C13, C20: which TLS credential a start gives to Nginx.

use std::fs;

use time::Duration;

use super::{assert_usable, lost, rows, save_credential};
use crate::sandbox::{Sandbox, openssl_fingerprint, put};

const CERTIFICATE: &str = "nginx-tls-server-cert.pem";
const KEY: &str = "nginx-tls-server-key.key";

#[test]
fn c10_a_hundred_restarts_before_setup_change_nothing() {
    let sandbox = Sandbox::new();
    let first = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.run(&["startup"]).expect(0);
    let size = sandbox.dump().len();
    for _ in 0..100 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.fingerprint(), first);
        assert_eq!(run.tls_source(), "database");
    }
    let grown = sandbox.dump().len() - size;
    assert!(grown < 10, "but for the number of starts: {grown}");
    assert_eq!(rows(&sandbox, "credential"), 1);
    assert_eq!(rows(&sandbox, "startup_history"), 2);
}

#[test]
fn c10_a_reset_softhsm_node_keeps_its_credential() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.run(&["setup", "--reset"]).expect(0);
    for _ in 0..3 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(
            run.restore_scenario(),
            "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED"
        );
        assert_eq!(run.fingerprint(), before);
    }
    assert_eq!(rows(&sandbox, "credential"), 1);
}

#[test]
fn c10_a_credential_that_ended_gets_a_successor_and_stays() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let ended = save_credential(&sandbox, Duration::days(400));
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.tls_source(), "generated");
    assert_ne!(run.fingerprint(), ended);
    assert!(run.warnings().contains("valid until"), "{}", run.warnings());
    assert_eq!(rows(&sandbox, "credential"), 3, "none is deleted");
    let again = sandbox.run(&["startup"]).expect(0);
    assert_eq!(again.fingerprint(), run.fingerprint());
    assert_usable(&sandbox);
}

#[test]
fn c10_a_clock_that_is_behind_makes_no_new_credential() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let early = save_credential(&sandbox, Duration::days(-10));
    for _ in 0..3 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.fingerprint(), early);
        let warnings = run.warnings();
        assert!(warnings.contains("not valid yet"), "{warnings}");
        assert!(warnings.contains("clock"), "{warnings}");
    }
    assert_eq!(rows(&sandbox, "credential"), 2);
    let setup = sandbox.run(&["setup", "--storage", "software"]).expect(0);
    assert_eq!(setup.fingerprint(), early);
    assert!(setup.warnings().contains("not valid yet"));
    assert_eq!(rows(&sandbox, "credential"), 2);
}

#[test]
fn c10_a_completed_node_keeps_a_credential_that_ended_and_warns() {
    let sandbox = Sandbox::software();
    let ended = save_credential(&sandbox, Duration::days(400));
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.fingerprint(), ended);
    assert!(run.warnings().contains("tls renew"), "{}", run.warnings());
}

#[test]
fn c12_nginx_always_has_a_set_that_it_can_start_with() {
    let sandbox = lost(Sandbox::softhsm_without_password());
    let directory = sandbox.root("etc/trustpoint/tls");
    let has = openssl_fingerprint(&sandbox.tls(CERTIFICATE));
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.fingerprint(), has, "a usable set is kept");
    assert_eq!(run.step("provide_tls"), "unchanged");

    let broken: [&dyn Fn(); 3] = [
        &|| fs::remove_dir_all(&directory).unwrap(),
        &|| put(&sandbox.tls(KEY), ""),
        &|| fs::remove_file(sandbox.tls(CERTIFICATE)).unwrap(),
    ];
    for make_unusable in broken {
        make_unusable();
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.tls_source(), "temporary");
        assert_eq!(
            run.fingerprint(),
            openssl_fingerprint(&sandbox.tls(CERTIFICATE))
        );
        assert_usable(&sandbox);
    }
    assert_eq!(rows(&sandbox, "credential"), 1, "a temporary is not saved");
}

#[test]
fn c13_a_completed_node_without_a_credential_gets_one_with_a_warning() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        sandbox.sql("DELETE FROM active_tls_server_credential");
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_eq!(run.tls_source(), "generated");
        let warnings = run.warnings();
        assert!(warnings.contains("no active TLS server"), "{warnings}");
        let again = sandbox.run(&["startup"]).expect(0);
        assert_eq!(again.tls_source(), "database");
        assert_eq!(again.fingerprint(), run.fingerprint());
        assert_eq!(rows(&sandbox, "credential"), 2);
    }
}

#[test]
fn c13_a_credential_that_cannot_be_used_is_left_and_the_way_out_named() {
    let broken = [
        "UPDATE credential SET private_key = 'no key'",
        "UPDATE credential SET private_key = NULL",
        "UPDATE credential SET certificate_pem = 'no certificate'",
    ];
    let (software, softhsm) = (Sandbox::software(), Sandbox::softhsm());
    for sandbox in [&software, &softhsm] {
        let whole = sandbox.keep_database();
        for statement in broken {
            sandbox.sql(statement);
            let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
            assert!(said.contains("tls renew"), "{statement}: {said}");
            assert!(said.contains("backup restore"), "{statement}: {said}");
            sandbox.put_database_back(&whole);
        }
        sandbox.run(&["startup"]).expect(0);
    }
}

#[test]
fn c13_a_key_of_another_certificate_is_noticed() {
    let sandbox = Sandbox::software();
    save_credential(&sandbox, Duration::ZERO);
    sandbox.sql(
        "UPDATE credential SET private_key = (SELECT private_key FROM credential WHERE id = 1) \
         WHERE id = 2",
    );
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("tls renew") && said.contains("backup restore"));
}

#[test]
fn c20_without_a_version_the_dek_is_looked_for_and_the_credential_kept() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.lose_runtime();
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_INITIALIZED_NO_VERSION");
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED"
    );
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), before);
    assert!(sandbox.dek_cache().exists());
}

#[test]
fn c20_without_a_version_and_without_the_dek_the_credential_is_temporary() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    let without_password = "UPDATE sealing SET bek_encrypted_dek = NULL";
    sandbox.sql(without_password);
    let sandbox = lost(sandbox);
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_INITIALIZED_NO_VERSION");
    assert_eq!(run.outcome(), "setup_required");
    assert_eq!(run.tls_source(), "temporary");
    assert_eq!(rows(&sandbox, "credential"), 1);
    assert_usable(&sandbox);
}

#[test]
fn c20_a_completed_node_without_version_and_token_waits_for_its_password() {
    let sandbox = lost(Sandbox::softhsm());
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
}
