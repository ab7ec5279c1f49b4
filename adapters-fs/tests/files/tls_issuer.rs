use std::process::Command;

use adapters_fs::SelfSignedIssuer;
use camino::Utf8Path;
use ports::{FaultKind, Secret, TlsCredential, TlsIssuer as _};
use time::OffsetDateTime;

use crate::child::save;
use crate::support::{Sandbox, assert_fault, credential, run_well};

fn openssl(arguments: &[&str]) -> String {
    run_well("openssl", Command::new("openssl").args(arguments))
}

#[test]
fn openssl_reads_what_the_specification_asks_for() {
    let sandbox = Sandbox::new();
    let san = [
        "pki.example.org",
        "*.example.org",
        "192.0.2.1",
        "2001:db8::1",
    ];
    let credential = SelfSignedIssuer
        .issue(&san.map(str::to_owned), OffsetDateTime::now_utc())
        .unwrap();
    save(&credential, sandbox.path(), "a");
    let certificate = sandbox.join("a.cert");
    let certificate = certificate.as_str();
    let text = openssl(&["x509", "-in", certificate, "-noout", "-text"]);
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let after = |line: &str| {
        let at = lines.iter().position(|other| *other == line);
        lines[at.unwrap_or_else(|| panic!("no {line:?} in {text}")) + 1]
    };
    let name = "CN = Trustpoint Self-Signed TLS Server Credential";
    let names = openssl(&["x509", "-in", certificate, "-noout", "-subject", "-issuer"]);
    let names = names.replace("CN=", "CN = ");
    assert_eq!(names, format!("subject={name}\nissuer={name}\n"));
    assert!(lines.contains(&"Signature Algorithm: ecdsa-with-SHA256"));
    assert!(lines.contains(&"NIST CURVE: P-256"));
    assert_eq!(after("X509v3 Basic Constraints:"), "CA:FALSE");
    assert_eq!(
        after("X509v3 Key Usage: critical"),
        "Digital Signature, Key Agreement"
    );
    assert_eq!(
        after("X509v3 Extended Key Usage:"),
        "TLS Web Server Authentication"
    );
    assert_eq!(
        after("X509v3 Subject Alternative Name: critical"),
        "DNS:pki.example.org, DNS:*.example.org, IP Address:192.0.2.1, \
         IP Address:2001:DB8:0:0:0:0:0:1"
    );
    let subject_key = after("X509v3 Subject Key Identifier:");
    let authority_key = after("X509v3 Authority Key Identifier:");
    assert_eq!(authority_key.trim_start_matches("keyid:"), subject_key);
    let serial = openssl(&["x509", "-in", certificate, "-noout", "-serial"]);
    assert_eq!(serial.trim().len(), "serial=".len() + 40, "{serial}");
    assert_eq!(text.matches("X509v3 ").count(), 6 + 1, "{text}");

    let fingerprint = openssl(&[
        "x509",
        "-in",
        certificate,
        "-noout",
        "-fingerprint",
        "-sha256",
    ]);
    let facts = SelfSignedIssuer.inspect(&credential).unwrap();
    assert!(fingerprint.trim().ends_with(&facts.sha256_fingerprint));

    let chain = sandbox.join("a.chain");
    openssl(&["verify", "-CAfile", chain.as_str(), certificate]);
    let key = sandbox.join("a.key");
    openssl(&["pkey", "-in", key.as_str(), "-check", "-noout"]);
}

/// A key of this kind and its certificate, made by openssl.
fn foreign(directory: &Utf8Path, kind: &[&str]) -> TlsCredential {
    let (key, certificate) = (directory.join("key"), directory.join("certificate"));
    let mut arguments = vec!["req", "-x509", "-nodes", "-subj", "/CN=x", "-newkey"];
    arguments.extend(kind);
    arguments.extend(["-keyout", key.as_str(), "-out", certificate.as_str()]);
    openssl(&arguments);
    TlsCredential {
        private_key_pem: Secret::from(std::fs::read_to_string(key).unwrap()),
        certificate_pem: std::fs::read_to_string(certificate).unwrap(),
        chain_pem: None,
    }
}

#[test]
fn keys_of_other_kinds_are_matched() {
    let sandbox = Sandbox::new();
    let kinds: [&[&str]; 4] = [
        &["rsa:2048"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        &["ed25519"],
    ];
    let own = credential();
    for kind in kinds {
        let right = foreign(sandbox.path(), kind);
        SelfSignedIssuer.inspect(&right).unwrap();
        let wrong = TlsCredential {
            certificate_pem: own.certificate_pem.clone(),
            ..right
        };
        let result = SelfSignedIssuer.inspect(&wrong);
        assert_fault(result, FaultKind::DataCorrupt, "does not match");
    }
}

/// As Windows exports them: keyUsage behind the key (RFC 5958, section 2).
#[test]
fn a_key_with_attributes_is_read() {
    const KEY_USAGE: &[u8] = b"\xa0\x0d\x30\x0b\x06\x03\x55\x1d\x0f\x31\x04\x03\x02\x00\x10";
    let sandbox = Sandbox::new();
    let plain = foreign(sandbox.path(), &["rsa:2048"]);
    let key = pem::parse(plain.private_key_pem.expose()).unwrap();
    let mut der = [key.contents(), KEY_USAGE].concat();
    let length = u16::try_from(der.len() - 4).unwrap();
    der[2..4].copy_from_slice(&length.to_be_bytes());
    let with_attributes = TlsCredential {
        private_key_pem: Secret::from(pem::encode(&pem::Pem::new(key.tag(), der))),
        ..plain
    };
    SelfSignedIssuer.inspect(&with_attributes).unwrap();
}

#[test]
fn what_is_wrong_with_a_credential_is_said() {
    let right = credential();
    let certificate = &right.certificate_pem;
    let with = |certificate: &str, chain: Option<&str>| TlsCredential {
        certificate_pem: certificate.to_owned(),
        chain_pem: chain.map(str::to_owned),
        ..right.clone()
    };
    let cut = &certificate[..certificate.len() / 2];
    for (credential, what) in [
        (with("", None), "no TLS certificate"),
        (with("noise", None), "no TLS certificate"),
        (with(cut, None), "TLS certificate"),
        (with(certificate, Some("")), "chain"),
        (with(certificate, Some("noise")), "chain"),
    ] {
        let result = SelfSignedIssuer.inspect(&credential);
        assert_fault(result, FaultKind::DataCorrupt, what);
    }
    let legacy = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    let legacy = TlsCredential {
        private_key_pem: Secret::from(legacy.to_owned()),
        ..right
    };
    let result = SelfSignedIssuer.inspect(&legacy);
    assert_fault(result, FaultKind::DataCorrupt, "PKCS#8");
}
