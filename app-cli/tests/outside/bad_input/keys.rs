//! A wrapped DEK that was altered, and credentials that do not match.

use std::fs;

use super::assert_names;
use crate::sandbox::{Sandbox, flip_in_hex, tool};

/// Sets the wrapped DEK to an SQL expression.
fn set_dek(sandbox: &Sandbox, expression: &str) {
    sandbox.sql(&format!(
        "UPDATE pkcs11_token SET encrypted_dek = {expression}"
    ));
}

/// The wrapped DEK as hexadecimal digits.
fn wrapped_dek(sandbox: &Sandbox) -> String {
    let hex = sandbox.sql("SELECT hex(encrypted_dek) FROM pkcs11_token");
    hex.trim().to_owned()
}

/// With the DEK cached or not, the start says that the wrapped DEK is corrupt, and keeps the cache.
#[track_caller]
fn refuses_dek(sandbox: &Sandbox, what: &str) {
    let cache = fs::read(sandbox.dek_cache()).unwrap();
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("DEK"), "{what}: {said}");
    assert!(said.contains("backup"), "{what}: {said}");
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), cache);

    let aside = sandbox.path("dek.aside");
    fs::rename(sandbox.dek_cache(), &aside).unwrap();
    let without = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(without.contains("DEK"), "{what}: {without}");
    fs::rename(aside, sandbox.dek_cache()).unwrap();
}

#[test]
fn c16_a_flipped_bit_anywhere_in_the_wrapped_dek_is_found() {
    let sandbox = Sandbox::softhsm();
    let right = wrapped_dek(&sandbox);
    let length = right.len() / 2;
    // Header, KEK id, first, middle and last byte of the wrapped key.
    for at in [0, 4, 6, 10, 20, length / 2, length - 33, length - 1] {
        let wrong = flip_in_hex(&right, at);
        set_dek(&sandbox, &format!("x'{wrong}'"));
        refuses_dek(&sandbox, &format!("byte {at} of {length}"));
    }
    set_dek(&sandbox, &format!("x'{right}'"));
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn c16_a_wrapped_dek_that_is_cut_short_is_found() {
    let sandbox = Sandbox::softhsm();
    let right = wrapped_dek(&sandbox);
    for length in [right.len() / 2 - 1, 32, 8, 1] {
        set_dek(&sandbox, &format!("x'{}'", &right[..2 * length]));
        refuses_dek(&sandbox, &format!("{length} bytes"));
    }
}

#[test]
fn c16_an_empty_wrapped_dek_is_no_missing_one() {
    let sandbox = Sandbox::softhsm();
    set_dek(&sandbox, "x''");
    refuses_dek(&sandbox, "empty");
}

/// Another P-256 key as PKCS#8.
fn another_key(sandbox: &Sandbox) -> std::path::PathBuf {
    let file = sandbox.path("other.key");
    tool(
        "openssl",
        [
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            file.to_str().unwrap(),
        ],
    );
    file
}

#[test]
fn c13_a_key_that_is_not_the_certificates_is_corrupt() {
    let sandbox = Sandbox::software();
    let key = another_key(&sandbox);
    sandbox.sql(&format!(
        "UPDATE credential SET private_key = CAST('{}' AS BLOB)",
        fs::read_to_string(key).unwrap()
    ));
    refuses_credential(&sandbox);
}

#[test]
fn c13_a_sealed_key_that_is_not_the_certificates_is_corrupt() {
    let sandbox = Sandbox::softhsm();
    let key = another_key(&sandbox);
    let certificate = sandbox.path("other.pem");
    tool(
        "openssl",
        [
            "req",
            "-x509",
            "-new",
            "-key",
            key.to_str().unwrap(),
            "-subj",
            "/CN=other",
            "-out",
            certificate.to_str().unwrap(),
        ],
    );
    sandbox.sql(&format!(
        "UPDATE credential SET certificate_pem = '{}'",
        fs::read_to_string(certificate).unwrap()
    ));
    refuses_credential(&sandbox);
}

#[test]
fn c13_a_sealed_key_that_was_altered_is_corrupt() {
    let sandbox = Sandbox::softhsm();
    let sealed = sandbox.sql("SELECT hex(private_key) FROM credential");
    let sealed = sealed.trim();
    let altered = flip_in_hex(sealed, sealed.len() / 2 - 1);
    sandbox.sql(&format!("UPDATE credential SET private_key = x'{altered}'"));
    refuses_credential(&sandbox);
}

#[track_caller]
fn refuses_credential(sandbox: &Sandbox) {
    for arguments in [&["startup"][..], &["startup", "--dry-run"], &["status"]] {
        let said = sandbox.fails_unchanged(arguments, 65, "data_corrupt");
        assert_names(&said, &["TLS", "tls renew", "backup restore"]);
    }
    // Nor is it replaced where Nginx has nothing.
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
}
