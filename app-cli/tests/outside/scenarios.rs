//! Each of the sixteen scenarios, produced through the program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{Sandbox, openssl_fingerprint};

/// What Nginx has is the certificate of the report, and its key is the user's alone.
#[track_caller]
fn assert_nginx_has(sandbox: &Sandbox, fingerprint: &str) {
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    assert_eq!(openssl_fingerprint(&certificate), fingerprint);
    let key = fs::metadata(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn db_not_initialized() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    assert_eq!(run.report["restore_scenario"], serde_json::Value::Null);
    assert_eq!(run.outcome(), "setup_required");
    assert_eq!(run.tls_source(), "generated");
    assert_nginx_has(&sandbox, &run.fingerprint());
    assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
    assert_eq!(
        sandbox
            .sql("SELECT storage_type FROM key_storage_config")
            .trim(),
        "software"
    );
    assert!(!sandbox.dek_cache().exists());
}

#[test]
fn db_initialized_no_version() {
    let sandbox = Sandbox::software();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.sql("DELETE FROM app_version");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_INITIALIZED_NO_VERSION");
    assert_eq!(run.outcome(), "ready");
    assert_eq!(
        run.fingerprint(),
        before,
        "C20: a readable active credential is kept"
    );
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).startup_scenario(),
        "VERSION_MATCH"
    );
}
