//! What a certificate says, for people.

use std::net::{Ipv4Addr, Ipv6Addr};

use ports::CertificateDetails;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use super::certificate::{NONE, certificates, parse};

/// Reads it.
pub(super) fn describe(certificate_pem: &str) -> Result<CertificateDetails, String> {
    let blocks = certificates(certificate_pem, "the TLS certificate")?;
    let certificate = parse(blocks.first().ok_or(NONE)?.contents())?;
    Ok(CertificateDetails {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        key_kind: key_kind(&certificate),
        san: san(&certificate),
    })
}

fn key_kind(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("ECDSA P-{}", point.key_size()),
        Ok(_) | Err(_) if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => {
            "Ed25519".to_owned()
        }
        Ok(_) | Err(_) => format!("algorithm {}", key.algorithm.algorithm.to_id_string()),
    }
}

fn san(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(bytes).to_string())
}
