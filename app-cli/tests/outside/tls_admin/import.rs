//! `tls import`, with keys and chains that openssl made.

use super::assert_serves;
use super::pki::{KINDS, Pki};
use crate::sandbox::{Run, Sandbox, openssl_fingerprint, put, tool};

fn import(sandbox: &Sandbox, key: &str, certificate: &str, chain: Option<&str>) -> Run {
    sandbox.run(&arguments(key, certificate, chain))
}

fn arguments<'a>(key: &'a str, certificate: &'a str, chain: Option<&'a str>) -> Vec<&'a str> {
    let mut arguments = vec!["tls", "import", "--key", key, "--cert", certificate];
    if let Some(chain) = chain {
        arguments.extend(["--chain", chain]);
    }
    arguments
}

/// What Nginx has is the certificate with its key, in PKCS#8, and a chain that openssl trusts.
#[track_caller]
fn assert_imported(sandbox: &Sandbox, pki: &Pki, name: &str, run: &Run) {
    let certificate = pki.file(&format!("{name}.pem"));
    assert_eq!(
        run.fingerprint(),
        openssl_fingerprint(&certificate),
        "{name}"
    );
    let [key, cert, chain] = ["key.key", "cert.pem", "cert-chain.pem"]
        .map(|end| sandbox.tls(&format!("nginx-tls-server-{end}")));
    let text = std::fs::read_to_string(&key).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"), "{name}");
    let [key, cert, chain] = [key, cert, chain].map(|path| path.display().to_string());
    let public = tool("openssl", ["pkey", "-in", &key, "-pubout"]);
    assert_eq!(
        public,
        tool("openssl", ["x509", "-in", &cert, "-noout", "-pubkey"])
    );
    let root = pki.path("root.pem");
    let verify = ["verify", "-CAfile", &root, "-untrusted", &chain, &cert];
    assert!(tool("openssl", verify).contains("OK"), "{name}");
    // The chain begins with the leaf's issuer and does not hold the leaf.
    let first = tool("openssl", ["x509", "-in", &chain, "-noout", "-subject"]);
    let first = first.replace(" = ", "=");
    assert!(first.contains("CN=sub"), "{name}: {first}");
    let chain = std::fs::read_to_string(&chain).unwrap();
    assert!(
        !chain.contains(&std::fs::read_to_string(&cert).unwrap()),
        "{name}"
    );
}

#[test]
fn keys_of_every_kind_in_every_form() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    let chain = pki.join("chain.pem", &["sub.pem", "root.pem"]);
    for (name, kind) in KINDS {
        pki.server(name, kind);
        let pkcs8 = format!("{name}.key");
        let old = format!("{name}-old.key");
        match name {
            "rsa2048" | "rsa4096" => {
                pki.openssl(&["rsa", "-in", &pkcs8, "-traditional", "-out", &old]);
                assert!(pki.read(&old).contains("BEGIN RSA PRIVATE KEY"));
            }
            "p256" | "p384" => {
                pki.openssl(&["ec", "-in", &pkcs8, "-out", &old]);
                assert!(pki.read(&old).contains("BEGIN EC PRIVATE KEY"));
            }
            _ => pki.join(&old, &[&pkcs8]).clear(),
        }
        for form in [&pkcs8, &old] {
            let certificate = pki.path(&format!("{name}.pem"));
            let run = import(&sandbox, &pki.path(form), &certificate, Some(&chain)).expect(0);
            assert_eq!(run.tls_source(), "database");
            assert_imported(&sandbox, &pki, name, &run);
        }
    }
    // Each certificate is stored once, whatever form its key came in.
    let rows = sandbox.sql("SELECT count(*) FROM credential WHERE source = 'imported'");
    assert_eq!(rows.trim(), KINDS.len().to_string());
    let last = openssl_fingerprint(&pki.file("ed25519.pem"));
    assert_serves(&sandbox, &last);
}

#[test]
fn a_key_file_of_openssl_ecparam_is_taken() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-out",
        "both.key",
    ]);
    assert!(pki.read("both.key").contains("BEGIN EC PARAMETERS"));
    pki.certificate("both", "sub", "leaf.ext", &["-days", "90"]);
    let chain = pki.path("sub.pem");
    let run = import(
        &sandbox,
        &pki.path("both.key"),
        &pki.path("both.pem"),
        Some(&chain),
    );
    assert_imported(&sandbox, &pki, "both", &run.expect(0));
}

#[test]
fn an_imported_key_is_sealed_on_a_softhsm_node() {
    let sandbox = Sandbox::softhsm();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    let chain = pki.join("chain.pem", &["sub.pem", "root.pem"]);
    let run = import(
        &sandbox,
        &pki.path("leaf.key"),
        &pki.path("leaf.pem"),
        Some(&chain),
    );
    let run = run.expect(0);
    assert_imported(&sandbox, &pki, "leaf", &run);
    let format = "SELECT DISTINCT private_key_format FROM credential";
    assert_eq!(sandbox.sql(format), "sealed_v1\n");
    assert!(!sandbox.holds(b"PRIVATE KEY"));
    sandbox.new_container();
    assert_serves(&sandbox, &run.fingerprint());
}

#[test]
fn a_chain_in_any_order_is_put_right() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    let (key, leaf) = (pki.path("leaf.key"), pki.path("leaf.pem"));
    let reversed = pki.join(
        "reversed.pem",
        &["root.pem", "leaf.pem", "sub.pem", "root.pem"],
    );
    let full = pki.join("full.pem", &["leaf.pem", "sub.pem", "root.pem"]);
    let backwards = pki.join("backwards.pem", &["root.pem", "sub.pem", "leaf.pem"]);
    let expected = [pki.read("sub.pem"), pki.read("root.pem")].concat();
    for (certificate, chain) in [
        (&leaf, Some(reversed.as_str())),
        (&full, None),
        (&backwards, None),
    ] {
        let run = import(&sandbox, &key, certificate, chain).expect(0);
        assert_imported(&sandbox, &pki, "leaf", &run);
        let chain = std::fs::read_to_string(sandbox.tls("nginx-tls-server-cert-chain.pem"));
        assert_eq!(chain.unwrap(), expected);
    }
}

#[test]
fn a_self_signed_certificate_is_its_own_trust_anchor_and_a_missing_chain_is_warned_about() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    let run = import(&sandbox, &pki.path("root.key"), &pki.path("root.pem"), None).expect(0);
    assert_eq!(
        run.fingerprint(),
        openssl_fingerprint(&pki.file("root.pem"))
    );
    let chain = std::fs::read_to_string(sandbox.tls("nginx-tls-server-cert-chain.pem"));
    assert_eq!(chain.unwrap(), pki.read("root.pem"));

    pki.server("leaf", KINDS[2].1);
    let run = import(&sandbox, &pki.path("leaf.key"), &pki.path("leaf.pem"), None).expect(0);
    assert!(
        run.warnings().contains("without a chain"),
        "{}",
        run.warnings()
    );
    assert!(!sandbox.tls("nginx-tls-server-cert-chain.pem").exists());
}

#[test]
fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[0].1);
    let cipher = ["-aes256", "-passout", "pass:hunter2hunter2"];
    let new = [
        "pkcs8",
        "-topk8",
        "-v2",
        "aes256",
        "-passout",
        "pass:hunter2hunter2",
    ];
    pki.openssl(&[&new[..], &["-in", "leaf.key", "-out", "new.key"]].concat());
    let old = ["rsa", "-in", "leaf.key", "-traditional", "-out", "old.key"];
    pki.openssl(&[&old[..], &cipher].concat());
    assert!(pki.read("new.key").contains("BEGIN ENCRYPTED PRIVATE KEY"));
    assert!(pki.read("old.key").contains("Proc-Type: 4,ENCRYPTED"));
    let certificate = pki.path("leaf.pem");
    for key in ["new.key", "old.key"].map(|name| pki.path(name)) {
        let arguments = arguments(&key, &certificate, None);
        let said = sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
        assert!(said.contains("openssl pkcs8 -topk8 -nocrypt"), "{said}");
    }
    // What the hint says works, by a file and by a pipe.
    let hint = [
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-passin",
        "pass:hunter2hunter2",
    ];
    pki.openssl(&[&hint[..], &["-in", "old.key", "-out", "plain.key"]].concat());
    import(&sandbox, &pki.path("plain.key"), &certificate, None).expect(0);
    let pipe = pki.path("pipe.key");
    tool("mkfifo", [&pipe]);
    let plain = pki.path("plain.key");
    let mut writer = std::process::Command::new("cp")
        .args([&plain, &pipe])
        .spawn()
        .unwrap();
    let run = import(&sandbox, &pipe, &certificate, None);
    writer.wait().unwrap();
    run.expect(0);
}

#[test]
fn what_is_not_valid_now_is_taken_by_force_alone() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    for (name, from, until, word) in [
        ("past", "20200101000000Z", "20210101000000Z", "expired"),
        ("future", "20450101000000Z", "20460101000000Z", "before"),
    ] {
        pki.key(name, KINDS[2].1);
        let validity = ["-startdate", from, "-enddate", until];
        pki.certificate(name, "sub", "leaf.ext", &validity);
        let files = [format!("{name}.key"), format!("{name}.pem")].map(|file| pki.path(&file));
        let chain = pki.path("sub.pem");
        let mut arguments = arguments(&files[0], &files[1], Some(&chain));
        let said = sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
        assert!(said.contains(word) && said.contains("--force"), "{said}");
        arguments.push("--force");
        let run = sandbox.run(&arguments).expect(0);
        assert!(
            run.warnings().contains("is not valid "),
            "{}",
            run.warnings()
        );
        assert_serves(
            &sandbox,
            &openssl_fingerprint(&pki.file(&format!("{name}.pem"))),
        );
    }
    // An intermediate that has expired breaks the chain as well.
    pki.key("oldsub", KINDS[2].1);
    let past = [
        "-startdate",
        "20200101000000Z",
        "-enddate",
        "20210101000000Z",
    ];
    pki.certificate("oldsub", "root", "ca.ext", &past);
    pki.key("leaf", KINDS[2].1);
    pki.certificate("leaf", "oldsub", "leaf.ext", &["-days", "90"]);
    let (key, leaf, chain) = (
        pki.path("leaf.key"),
        pki.path("leaf.pem"),
        pki.path("oldsub.pem"),
    );
    let said = sandbox.fails_unchanged(&arguments(&key, &leaf, Some(&chain)), 65, "data_corrupt");
    assert!(
        said.contains("CN=oldsub") && said.contains("expired"),
        "{said}"
    );
}

#[test]
fn files_that_do_not_belong_together_change_nothing() {
    let sandbox = Sandbox::software();
    let pki = Pki::new(&sandbox);
    pki.server("leaf", KINDS[2].1);
    pki.server("other", KINDS[2].1);
    pki.key(
        "p521",
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    );
    // A root of the same name that did not sign.
    pki.key("impostor", KINDS[3].1);
    let impostor = ["req", "-x509", "-key", "impostor.key", "-subj", "/CN=sub"];
    pki.openssl(&[&impostor[..], &["-days", "90", "-out", "impostor.pem"]].concat());
    pki.openssl(&[
        "x509", "-in", "leaf.pem", "-outform", "DER", "-out", "leaf.der",
    ]);
    pki.openssl(&[
        "pkey",
        "-in",
        "leaf.key",
        "-outform",
        "DER",
        "-out",
        "leafkey.der",
    ]);
    put(&pki.file("empty.pem"), "");
    pki.join("two.key", &["leaf.key", "other.key"]);
    let cut = pki.read("leaf.key");
    put(&pki.file("cut.key"), &cut[..cut.len() / 2]);
    let cut = pki.read("leaf.pem");
    put(&pki.file("cut.pem"), &cut[..cut.len() - 40]);
    for (key, certificate, chain, word) in [
        ("other.key", "leaf.pem", None, "does not match"),
        (
            "leaf.key",
            "leaf.pem",
            Some("impostor.pem"),
            "does not belong",
        ),
        ("leaf.key", "leaf.pem", Some("root.pem"), "CN=sub"),
        ("leaf.key", "leaf.pem", Some("other.pem"), "does not belong"),
        ("leaf.key", "leaf.der", None, "PEM"),
        ("leafkey.der", "leaf.pem", None, "PEM"),
        ("leaf.key", "empty.pem", None, "no certificate"),
        ("empty.pem", "leaf.pem", None, "no private key"),
        ("leaf.pem", "leaf.key", None, "no private key"),
        ("two.key", "leaf.pem", None, "2 private keys"),
        ("cut.key", "leaf.pem", None, "no end"),
        ("leaf.key", "cut.pem", None, "PEM"),
        ("p521.key", "leaf.pem", None, "kind that is supported"),
    ] {
        let (key, certificate) = (pki.path(key), pki.path(certificate));
        let chain = chain.map(|chain| pki.path(chain));
        let arguments = arguments(&key, &certificate, chain.as_deref());
        let said = sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
        assert!(said.contains(word), "{key} {certificate} {chain:?}: {said}");
    }
    let missing = pki.path("missing.key");
    let leaf = pki.path("leaf.pem");
    sandbox.fails_unchanged(&arguments(&missing, &leaf, None), 74, "io");
}
