//! A stored certificate or chain that was damaged is not given to Nginx.

use super::assert_serves;
use super::pki::{KINDS, Pki};
use crate::sandbox::{Sandbox, is_on_server, put};

/// Flips bits of a column of the newest credential, here and there; sees that nobody uses it.
fn is_noticed(sandbox: &Sandbox, column: &str, fingerprint: &str) {
    let row = "WHERE id = (SELECT max(id) FROM credential)";
    let right = sandbox.sql(&format!("SELECT hex({column}) FROM credential {row}"));
    let right: Vec<u8> = (0..right.trim().len() / 2)
        .map(|at| u8::from_str_radix(&right[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let store = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let value = match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{}'", text.replace('\'', "''")),
            Err(_) => format!("CAST(x'{hex}' AS TEXT)"),
        };
        sandbox.sql(&format!("UPDATE credential SET {column} = {value} {row}"));
    };
    for at in (3..right.len() - 60).step_by(97) {
        let mut wrong = right.clone();
        wrong[at] ^= if at % 3 == 0 { 0x80 } else { 1 };
        // A server takes no text that is none.
        if is_on_server() && std::str::from_utf8(&wrong).is_err() {
            continue;
        }
        store(&wrong);
        for arguments in [&["startup"][..], &["tls", "activate", fingerprint]] {
            let said = sandbox.fails_unchanged(arguments, 65, "data_corrupt");
            for word in ["tls renew", "tls activate", "backup restore"] {
                assert!(said.contains(word), "{column} {at}: {said}");
            }
        }
    }
    store(&right);
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn c13_a_damaged_certificate_chain_or_key_is_not_given_to_nginx() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    let chain = pki.join("chain.pem", &["sub.pem", "root.pem"]);
    let [key, certificate] = ["leaf.key", "leaf.pem"].map(|name| pki.path(name));
    let import = [
        "tls",
        "import",
        "--key",
        &key,
        "--cert",
        &certificate,
        "--chain",
        &chain,
    ];
    let fingerprint = sandbox.run(&import).expect(0).fingerprint();
    for column in ["certificate_pem", "chain_pem"] {
        is_noticed(&sandbox, column, &fingerprint);
    }
    assert_serves(&sandbox, &fingerprint);
}

#[test]
fn c13_what_was_damaged_is_put_right_by_importing_it_again() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    let [key, certificate, chain] = ["leaf.key", "leaf.pem", "sub.pem"].map(|name| pki.path(name));
    let import = [
        "tls",
        "import",
        "--key",
        &key,
        "--cert",
        &certificate,
        "--chain",
        &chain,
    ];
    let fingerprint = sandbox.run(&import).expect(0).fingerprint();
    for column in ["certificate_pem", "chain_pem", "private_key"] {
        sandbox.sql(&format!(
            "UPDATE credential SET {column} = 'noise' WHERE source = 'imported'"
        ));
        sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
        sandbox.run(&import).expect(0);
        assert_serves(&sandbox, &fingerprint);
    }
}

#[test]
fn c13_another_certificate_of_the_same_key_is_not_the_one_that_was_stored() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    let [key, certificate] = ["leaf.key", "leaf.pem"].map(|name| pki.path(name));
    let import = ["tls", "import", "--key", &key, "--cert", &certificate];
    sandbox.run(&import).expect(0);
    pki.certificate("leaf", "sub", "leaf.ext", &["-days", "80"]);
    sandbox.sql(&format!(
        "UPDATE credential SET certificate_pem = '{}' WHERE source = 'imported'",
        pki.read("leaf.pem")
    ));
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("has the fingerprint"), "{said}");
    assert!(said.contains("tls activate"), "{said}");
}

#[test]
fn c13_a_chain_whose_signature_is_wrong_is_not_imported() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    // The root's own signature is asked for by nobody but whoever checks all of them.
    let text = pki.read("root.pem");
    let lines: Vec<_> = text.lines().collect();
    let last = lines[lines.len() - 2];
    let at = text.find(last).unwrap() - 10;
    let mut wrong = text.into_bytes();
    wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
    put(&pki.file("root.pem"), wrong);
    let chain = pki.join("chain.pem", &["sub.pem", "root.pem"]);
    let [key, certificate] = ["leaf.key", "leaf.pem"].map(|name| pki.path(name));
    let import = [
        "tls",
        "import",
        "--key",
        &key,
        "--cert",
        &certificate,
        "--chain",
        &chain,
    ];
    sandbox.fails_unchanged(&import, 65, "data_corrupt");
}
