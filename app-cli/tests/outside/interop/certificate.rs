//! What openssl makes of certificate and key.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::sandbox::{Sandbox, tool};

const NAME: &str = "CN=Trustpoint Self-Signed TLS Server Credential";

fn file(sandbox: &Sandbox, name: &str) -> String {
    sandbox.tls(name).display().to_string()
}

fn x509(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let certificate = file(sandbox, "nginx-tls-server-cert.pem");
    let asked = [&["x509", "-noout", "-in", &certificate][..], arguments].concat();
    tool("openssl", asked)
}

/// The extensions of `openssl x509 -text`: heading, and the line below it.
fn extensions(text: &str) -> BTreeMap<String, String> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let (_, below) = text.split_once("X509v3 extensions:").unwrap();
    let count = below.matches("X509v3 ").count();
    let pairs = lines.windows(2).filter_map(|pair| {
        let heading = pair[0].strip_prefix("X509v3 ")?;
        let (name, rest) = heading.split_once(':')?;
        (name != "extensions").then(|| {
            let critical = if rest.trim() == "critical" {
                "critical "
            } else {
                ""
            };
            (name.to_owned(), format!("{critical}{}", pair[1]))
        })
    });
    let pairs: BTreeMap<_, _> = pairs.collect();
    assert_eq!(pairs.len(), count, "{text}");
    pairs
}

#[test]
fn openssl_reads_exactly_the_extensions_of_the_specification() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let text = x509(&sandbox, &["-text"]);
    let mut found = extensions(&text);
    let subject_id = found.remove("Subject Key Identifier").unwrap();
    let authority_id = found.remove("Authority Key Identifier").unwrap();
    assert_eq!(authority_id.trim_start_matches("keyid:"), subject_id);
    let expected = [
        ("Basic Constraints", "CA:FALSE"),
        ("Extended Key Usage", "TLS Web Server Authentication"),
        ("Key Usage", "critical Digital Signature, Key Agreement"),
        ("Subject Alternative Name", "critical IP Address:127.0.0.1"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected), "{text}");
    for wanted in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "NIST CURVE: P-256",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    assert_eq!(
        // OpenSSL 3.0 puts spaces around the sign.
        x509(&sandbox, &["-subject", "-issuer"])
            .trim()
            .replace(" = ", "="),
        format!("subject={NAME}\nissuer={NAME}")
    );
}

#[test]
fn it_is_valid_from_a_day_ago_for_a_year_from_now() {
    let sandbox = Sandbox::new();
    let before = OffsetDateTime::now_utc();
    sandbox.run(&["startup"]).expect(0);
    let after = OffsetDateTime::now_utc();
    let date = |which| {
        let line = x509(&sandbox, &[which, "-dateopt", "iso_8601"]);
        let text = line.trim().split_once('=').unwrap().1.replace(' ', "T");
        OffsetDateTime::parse(&text, &Rfc3339).unwrap()
    };
    // A certificate knows whole seconds.
    let made = before - Duration::SECOND..=after;
    assert!(made.contains(&(date("-startdate") + Duration::DAY)));
    assert!(made.contains(&(date("-enddate") - Duration::days(365))));
}

#[test]
fn its_serial_number_is_random_and_positive() {
    let serial = || {
        let sandbox = Sandbox::new();
        sandbox.run(&["startup"]).expect(0);
        x509(&sandbox, &["-serial"])
    };
    let (one, two) = (serial(), serial());
    assert_ne!(one, two);
    for serial in [one, two] {
        let digits = serial.trim().strip_prefix("serial=").unwrap();
        assert!(!digits.starts_with('-'), "{digits}");
        assert!((16..=40).contains(&digits.len()), "{digits}");
    }
}

#[test]
fn its_names_are_the_configured_ones() {
    let mut sandbox = Sandbox::new();
    sandbox.set("TRUSTPOINT_TLS_SAN", "node.example.org,10.1.2.3,::1");
    sandbox.run(&["startup"]).expect(0);
    let names = &extensions(&x509(&sandbox, &["-text"]))["Subject Alternative Name"];
    assert_eq!(
        names,
        "critical DNS:node.example.org, IP Address:10.1.2.3, IP Address:0:0:0:0:0:0:0:1"
    );
}

#[test]
fn openssl_verifies_the_certificate_and_the_key() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let chain = file(&sandbox, "nginx-tls-server-cert-chain.pem");
    let certificate = file(&sandbox, "nginx-tls-server-cert.pem");
    let key = file(&sandbox, "nginx-tls-server-key.key");
    let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"];
    tool("openssl", [&verify[..], &[&chain, &certificate]].concat());
    let check = tool("openssl", ["pkey", "-check", "-noout", "-in", &key]);
    assert_eq!(check.trim(), "Key is valid");
    let public = tool("openssl", ["pkey", "-pubout", "-in", &key]);
    assert_eq!(x509(&sandbox, &["-pubkey"]), public);
    let pem = std::fs::read_to_string(&key).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8");
}
