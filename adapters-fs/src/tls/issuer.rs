//! The self-signed credential, as the reference's StandardTlsCredentialStrategy makes it.

use std::error::Error;

use ports::{
    Assembled, CertificateDetails, CertificateFacts, CredentialFiles, TlsCredential, TlsError,
    TlsIssuer,
};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use time::{Duration, OffsetDateTime};
use x509_cert::der::asn1::OctetString;
use x509_cert::der::{self, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName, SubjectKeyIdentifier};
use zeroize::Zeroizing;

use super::{assemble, certificate, details, private_key, san};

const COMMON_NAME: &str = "Trustpoint Self-Signed TLS Server Credential";
const VALID_FOR: Duration = Duration::days(365);
/// Clients whose clock is behind accept the certificate at once.
const BACKDATED: Duration = Duration::days(1);

const SUBJECT_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 14];
const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];

/// Makes self-signed credentials with ring's keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfSignedIssuer;

impl TlsIssuer for SelfSignedIssuer {
    fn issue(&self, san: &[String], now: OffsetDateTime) -> Result<TlsCredential, TlsError> {
        let names = san::parse(san)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Zeroizing::new)
            .map_err(|error| making("generating the TLS key", error))?;
        let certificate_pem = parameters(names, &key, now)?
            .self_signed(&*key)
            .map_err(|error| making("signing the TLS certificate", error))?
            .pem()
            .replace("\r\n", "\n");
        Ok(TlsCredential {
            private_key_pem: private_key::to_pem(key.serialized_der()),
            // Self-signed: its own trust anchor, so that `ssl_trusted_certificate` has a file.
            chain_pem: Some(certificate_pem.clone()),
            certificate_pem,
        })
    }

    fn inspect(&self, credential: &TlsCredential) -> Result<CertificateFacts, TlsError> {
        let read = certificate::read(credential).map_err(TlsError::Unusable)?;
        Ok(read.1)
    }

    fn describe(&self, certificate_pem: &str) -> Result<CertificateDetails, TlsError> {
        details::describe(certificate_pem).map_err(TlsError::Unusable)
    }

    fn assemble(&self, files: &CredentialFiles) -> Result<Assembled, TlsError> {
        assemble::assemble(files)
    }
}

fn parameters(
    names: Vec<GeneralName>,
    key: &KeyPair,
    now: OffsetDateTime,
) -> Result<CertificateParams, TlsError> {
    let out_of_range = || TlsError::Date(now);
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, COMMON_NAME);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name;
    parameters.serial_number = Some(serial_number()?);
    parameters.not_before = now.checked_sub(BACKDATED).ok_or_else(out_of_range)?;
    parameters.not_after = now.checked_add(VALID_FOR).ok_or_else(out_of_range)?;
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyAgreement,
    ];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    parameters.custom_extensions = extensions(names, parameters.key_identifier(key))
        .map_err(|error| making("encoding the TLS certificate", error))?;
    Ok(parameters)
}

/// The extensions that rcgen marks otherwise than the reference: it has basicConstraints critical,
/// and subjectAltName critical only where the subject is empty.
fn extensions(
    names: Vec<GeneralName>,
    key_identifier: Vec<u8>,
) -> Result<Vec<CustomExtension>, der::Error> {
    let basic_constraints = BasicConstraints {
        ca: false,
        path_len_constraint: None,
    };
    let key_identifier = SubjectKeyIdentifier(OctetString::new(key_identifier)?);
    let alt_name = SubjectAltName(names).to_der()?;
    let mut alt_name = CustomExtension::from_oid_content(&SUBJECT_ALT_NAME, alt_name);
    alt_name.set_criticality(true);
    Ok(vec![
        CustomExtension::from_oid_content(&BASIC_CONSTRAINTS, basic_constraints.to_der()?),
        CustomExtension::from_oid_content(&SUBJECT_KEY_IDENTIFIER, key_identifier.to_der()?),
        alt_name,
    ])
}

/// 20 random bytes, the most RFC 5280 allows; positive, and never shorter.
fn serial_number() -> Result<SerialNumber, TlsError> {
    let mut bytes = [0; 20];
    SystemRandom::new().fill(&mut bytes).map_err(|error| {
        making(
            "the system's random generator gave nothing",
            error.to_string(),
        )
    })?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn making(doing: &'static str, error: impl Into<Box<dyn Error + Send + Sync>>) -> TlsError {
    TlsError::Making {
        doing,
        source: error.into(),
    }
}
