//! Certificates of the stories' own: a root, an intermediate, and what they issue.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;

use crate::run::Result;

/// A root and an intermediate below it.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

/// A key and its certificate.
pub struct Issued {
    pub key_pem: String,
    pub certificate_pem: String,
    /// As the program writes it.
    pub fingerprint: String,
}

impl Authority {
    pub fn new() -> Result<Self> {
        let root = CertifiedIssuer::self_signed(authority("Story Root")?, key()?).map_err(text)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority("Story Intermediate")?, key()?, &root)
                .map_err(text)?;
        Ok(Self { root, intermediate })
    }

    pub fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// What goes between a certificate and the root.
    pub fn chain_pem(&self) -> String {
        self.intermediate.pem()
    }

    /// Issues for these names and addresses, as server and as client.
    pub fn issue(&self, names: &[&str]) -> Result<Issued> {
        self.issue_for_days(names, None)
    }

    /// The same, for so many days from now; otherwise for longer than anybody lives.
    pub fn issue_for_days(&self, names: &[&str], days: Option<u32>) -> Result<Issued> {
        let key = key()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names.clone()).map_err(text)?;
        if let Some(name) = names.first() {
            parameters.distinguished_name.push(DnType::CommonName, name);
        }
        if let Some(days) = days {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_err(|error| format!("the clock: {error}"))?;
            let day = Duration::from_secs(24 * 60 * 60);
            parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + day * days;
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters
            .signed_by(&key, &self.intermediate)
            .map_err(text)?;
        Ok(Issued {
            key_pem: key.serialize_pem(),
            certificate_pem: certificate.pem(),
            fingerprint: super::client::fingerprint(certificate.der()),
        })
    }
}

fn key() -> Result<KeyPair> {
    KeyPair::generate().map_err(text)
}

fn authority(name: &str) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(Vec::new()).map_err(text)?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

fn text(error: rcgen::Error) -> String {
    format!("a certificate of the story: {error}")
}
