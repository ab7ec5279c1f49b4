//! What is looked up in a certificate of the server or of this client, beside what rustls checks.

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;

use crate::shown::quoted;

/// Verifies a certificate that is trusted as it is: one that an operator has named. rustls takes that of an
/// authority for no server's, and what most tools sign themselves is one of those.
pub(super) fn verify_named(
    server: &CertificateDer<'_>,
    name: Option<&ServerName<'_>>,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = parse(server).ok_or(CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate().validity();
    let [from, until] =
        [validity.not_before, validity.not_after].map(|time| time.to_unix_duration().as_secs());
    if now.as_secs() < from {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > until {
        return Err(CertificateError::Expired.into());
    }
    match name {
        Some(name) => verify_server_name(&ParsedCertificate::try_from(server)?, name),
        None => Ok(()),
    }
}

/// Why a certificate is good for nothing, where it is.
pub(super) fn unusable(certificate: &[u8]) -> Option<&'static str> {
    let is_old = parse(certificate)?.tbs_certificate().version() != Version::V3;
    is_old.then_some("it is of an old version of X.509 (1 or 2), which has no extensions")
}

/// Why a server's certificate cannot be of any name, where it cannot.
pub(super) fn nameless(certificate: &[u8]) -> Option<&'static str> {
    let parsed = parse(certificate)?;
    let names = parsed.tbs_certificate().get_extension::<SubjectAltName>();
    let why = "it has no subjectAltName, and its CN is not compared";
    matches!(names, Ok(None)).then_some(why)
}

/// The extension that makes a certificate one of this server.
pub(super) fn alternative_name(server: &ServerName<'_>) -> String {
    let kind = match server {
        ServerName::IpAddress(_) => "IP",
        _ => "DNS",
    };
    format!("subjectAltName={kind}:{}", server.to_str())
}

/// Whose a certificate is and who has issued it.
pub(super) fn names_in(certificate: &[u8]) -> String {
    Certificate::from_der(certificate).map_or_else(
        |error| format!("none that can be read ({error})"),
        |parsed| {
            let names = parsed.tbs_certificate();
            let [subject, issuer] =
                [names.subject(), names.issuer()].map(|name| quoted(&name.to_string()));
            format!("that of {subject}, issued by {issuer}")
        },
    )
}

/// `tls-server-end-point`: the certificate's digest, by the hash that it was signed with; `None` where
/// the signature names none.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let parsed = parse(certificate)?;
    let algorithm = hash_of(&parsed.signature_algorithm().oid.to_string())?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

fn parse(certificate: &[u8]) -> Option<Certificate> {
    Certificate::from_der(certificate).ok()
}

fn hash_of(signature: &str) -> Option<&'static Algorithm> {
    Some(match signature {
        // With MD5, SHA-1 and SHA-256: SHA-256 takes the place of the weak ones.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    })
}
