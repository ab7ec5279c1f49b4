//! What the program says to do about a certificate depends on where it came from.

use super::pki::{KINDS, Pki};
use crate::sandbox::{Run, Sandbox};

/// A node with an imported certificate that is valid for so many days.
fn imported(days: &str) -> (Sandbox, Run) {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.key("leaf", KINDS[2].1);
    pki.certificate("leaf", "sub", "leaf.ext", &["-days", days]);
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
    let run = sandbox.run(&import).expect(0);
    (sandbox, run)
}

fn check(run: &Run, name: &str) -> String {
    let checks = run.report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    format!("{} {}", check["detail"], check["hint"])
}

#[test]
fn an_imported_certificate_that_ends_is_to_be_imported_anew() {
    let (sandbox, import) = imported("10");
    let start = sandbox.run(&["startup"]).expect(0);
    let doctor = sandbox.run(&["doctor"]).expect(0);
    for said in [
        import.warnings(),
        start.warnings(),
        check(&doctor, "certificate_validity"),
    ] {
        assert!(said.contains("ends within 30 days"), "{said}");
        assert!(said.contains("tls import"), "{said}");
        assert!(!said.contains("tls renew"), "{said}");
    }
}

#[test]
fn renew_says_that_it_replaces_what_was_imported() {
    let (sandbox, import) = imported("90");
    let before = import.fingerprint();
    let renew = sandbox.run(&["tls", "renew"]).expect(0);
    let warnings = renew.warnings();
    for word in [&before, "self-signed", "tls activate", "tls import"] {
        assert!(warnings.contains(word), "no {word:?} in {warnings}");
    }
    let again = sandbox.run(&["tls", "renew"]).expect(0);
    assert!(
        !again.warnings().contains("imported"),
        "{}",
        again.warnings()
    );
    let back = sandbox.run(&["tls", "activate", &before]).expect(0);
    assert_eq!(back.fingerprint(), before);
}
