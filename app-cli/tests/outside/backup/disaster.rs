//! The disaster story: everything is gone but one file and a password.

use std::fs;

use super::{create, restore};
use crate::sandbox::{PASSWORD, Sandbox, openssl_fingerprint};

#[test]
fn everything_is_lost_but_the_backup_and_its_password() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    sandbox.setup_softhsm();
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.outcome(), "ready");
    let fingerprint = ready.fingerprint();
    let key = fs::read(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    let file = create(&sandbox, "node.backup");

    fs::remove_dir_all(sandbox.path("root")).unwrap();
    fs::remove_dir_all(sandbox.path("tokens")).unwrap();
    fs::create_dir(sandbox.path("tokens")).unwrap();

    restore(&sandbox, &file).expect(0);
    let waiting = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        waiting.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    assert_eq!(waiting.outcome(), "recovery_required");
    assert_eq!(waiting.tls_source(), "temporary");
    let temporary = waiting.fingerprint();
    assert_ne!(temporary, fingerprint);
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    assert_eq!(openssl_fingerprint(&certificate), temporary);

    let wrong = sandbox.password_file("wrong horse battery staple");
    let wrong = ["recover", "--backup-password-file", wrong.to_str().unwrap()];
    let tokens = Sandbox::picture_below(&sandbox.path("tokens"));
    sandbox.fails_unchanged(&wrong, 77, "denied");
    assert_eq!(Sandbox::picture_below(&sandbox.path("tokens")), tokens);

    sandbox.new_container();
    let again = sandbox.run(&["startup"]).expect(0);
    assert_eq!(again.outcome(), "recovery_required");
    assert_eq!(again.fingerprint(), temporary);

    let right = sandbox.password_file(PASSWORD);
    let right = ["recover", "--backup-password-file", right.to_str().unwrap()];
    sandbox.run(&right).expect(0);
    for _ in 0..2 {
        let ready = sandbox.run(&["startup"]).expect(0);
        assert_eq!(ready.outcome(), "ready");
        assert_eq!(ready.fingerprint(), fingerprint);
        assert_eq!(openssl_fingerprint(&certificate), fingerprint);
        // A secret that was sealed before is readable.
        let read = fs::read(sandbox.tls("nginx-tls-server-key.key")).unwrap();
        assert_eq!(read, key);
        sandbox.new_container();
    }
}
