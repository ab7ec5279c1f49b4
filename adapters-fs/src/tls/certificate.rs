//! Reading certificates, and whether a private key is a certificate's key.

use std::fmt::Write as _;

use pem::Pem;
use ports::{CertificateFacts, Fault, FaultKind, TlsCredential};
use rcgen::PublicKeyData as _;
use ring::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::private_key;

const HINT: &str = "`tls renew` makes a new credential, `backup restore` brings an older one back";

/// Reads a certificate alone.
pub(super) fn inspect(certificate_pem: &str) -> Result<CertificateFacts, Fault> {
    facts(certificate_pem).map_err(corrupt)
}

/// Reads the certificate and its chain, and checks that the private key is the certificate's.
pub(super) fn inspect_credential(credential: &TlsCredential) -> Result<CertificateFacts, Fault> {
    check(credential).map_err(corrupt)
}

/// The same, with the reason as text.
pub(super) fn check(credential: &TlsCredential) -> Result<CertificateFacts, String> {
    let key = private_key::from_pem(&credential.private_key_pem)?;
    let block = first_certificate(&credential.certificate_pem)?;
    let certificate = parse(block.contents())?;
    if *certificate.public_key().subject_public_key.data != *key.der_bytes() {
        return Err("the private key does not match the TLS certificate".to_owned());
    }
    if let Some(chain) = &credential.chain_pem {
        check_chain(chain)?;
    }
    facts_of(&block, &certificate)
}

fn facts(certificate_pem: &str) -> Result<CertificateFacts, String> {
    let block = first_certificate(certificate_pem)?;
    facts_of(&block, &parse(block.contents())?)
}

/// What a certificate that was parsed says.
pub(super) fn facts_of(
    block: &Pem,
    certificate: &X509Certificate<'_>,
) -> Result<CertificateFacts, String> {
    let date = |time: x509_parser::time::ASN1Time| time.to_datetime();
    Ok(CertificateFacts {
        sha256_fingerprint: fingerprint(block.contents()),
        not_before: date(certificate.validity().not_before),
        not_after: date(certificate.validity().not_after),
    })
}

fn check_chain(chain: &str) -> Result<(), String> {
    let blocks = certificates(chain)?;
    if blocks.is_empty() {
        return Err("there is no certificate in the TLS chain".to_owned());
    }
    for block in blocks {
        parse(block.contents()).map_err(|why| format!("in the TLS chain, {why}"))?;
    }
    Ok(())
}

/// The first certificate of a PEM file.
pub(super) fn first_certificate(text: &str) -> Result<Pem, String> {
    certificates(text)?
        .into_iter()
        .next()
        .ok_or_else(|| "there is no TLS certificate in the file".to_owned())
}

/// The certificates of a PEM file.
pub(super) fn certificates(text: &str) -> Result<Vec<Pem>, String> {
    let blocks = pem::parse_many(text)
        .map_err(|error| format!("the TLS certificate is no PEM file ({error})"))?;
    Ok(blocks
        .into_iter()
        .filter(|block| block.tag() == "CERTIFICATE")
        .collect())
}

/// Parses one certificate.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("the TLS certificate has bytes after its end".to_owned()),
        Err(error) => Err(format!("the TLS certificate does not parse ({error})")),
    }
}

fn fingerprint(der: &[u8]) -> String {
    let mut text = String::with_capacity(95);
    for byte in digest(&SHA256, der).as_ref() {
        if !text.is_empty() {
            text.push(':');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// The fault of a stored credential.
pub(super) fn corrupt(why: String) -> Fault {
    Fault::new(FaultKind::DataCorrupt, why, HINT)
}
