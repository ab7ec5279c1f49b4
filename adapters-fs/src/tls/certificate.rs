//! Reading certificates strictly, and whether a private key is a certificate's key.
//!
//! What passes here is given to Nginx, encoded anew: OpenSSL has to be able to load it, and it has
//! to be what was stored.

use data_encoding::HEXUPPER;
use pem::{EncodeConfig, LineEnding, Pem};
use ports::{CertificateFacts, Secret, TlsCredential};
use rcgen::PublicKeyData as _;
use ring::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{chain, labels, private_key, strict};

const TAG: &str = "CERTIFICATE";

/// Reads the certificate and its chain, and checks that the private key is the certificate's and
/// each certificate signed by the next; the error says what is wrong.
pub(super) fn check(credential: &TlsCredential) -> Result<CertificateFacts, String> {
    read(credential).map(|parts| parts.facts)
}

/// The same credential, after the same checks, encoded anew from what was read.
pub(super) fn encoded_anew(credential: &TlsCredential) -> Result<TlsCredential, String> {
    let parts = read(credential)?;
    Ok(TlsCredential {
        private_key_pem: parts.private_key_pem,
        certificate_pem: encode(&parts.certificate),
        chain_pem: parts.chain.as_deref().map(encode),
    })
}

/// A credential that was read and found sound.
struct Parts {
    private_key_pem: Secret,
    certificate: Vec<Pem>,
    chain: Option<Vec<Pem>>,
    facts: CertificateFacts,
}

fn read(credential: &TlsCredential) -> Result<Parts, String> {
    let key = private_key::from_pem(&credential.private_key_pem)?;
    let own = certificates(&credential.certificate_pem, "the TLS certificate")?;
    let path = parse_all(&own)?;
    let (Some(block), Some(leaf)) = (own.first(), path.first()) else {
        return Err(NONE.to_owned());
    };
    if leaf.public_key().raw != key.subject_public_key_info() {
        return Err("the private key does not match the TLS certificate".to_owned());
    }
    // Nginx gives out what follows in the same file as well.
    chain::check(&path)?;
    let chain = match &credential.chain_pem {
        Some(text) => Some(read_chain(text, leaf, block)?),
        None => None,
    };
    Ok(Parts {
        private_key_pem: private_key::to_pem(key.serialized_der()),
        facts: facts_of(block, leaf),
        certificate: own,
        chain,
    })
}

/// A chain may begin with the certificate itself.
fn read_chain(text: &str, leaf: &X509Certificate<'_>, block: &Pem) -> Result<Vec<Pem>, String> {
    let blocks = certificates(text, "the TLS chain")?;
    if blocks.is_empty() {
        return Err("there is no certificate in the TLS chain".to_owned());
    }
    let is_leaf = |first: &Pem| first.contents() == block.contents();
    let above = usize::from(blocks.first().is_some_and(is_leaf));
    let mut path = vec![leaf.clone()];
    path.extend(
        parse_all(blocks.get(above..).unwrap_or_default())
            .map_err(|why| format!("in the TLS chain, {why}"))?,
    );
    chain::check(&path)?;
    Ok(blocks)
}

fn parse_all(blocks: &[Pem]) -> Result<Vec<X509Certificate<'_>>, String> {
    blocks.iter().map(|block| parse(block.contents())).collect()
}

/// What a certificate that was parsed says.
pub(super) fn facts_of(block: &Pem, certificate: &X509Certificate<'_>) -> CertificateFacts {
    let validity = certificate.validity();
    CertificateFacts {
        sha256_fingerprint: fingerprint(block.contents()),
        not_before: validity.not_before.to_datetime(),
        not_after: validity.not_after.to_datetime(),
    }
}

const NONE: &str = "there is no TLS certificate in the file";

/// The first certificate of a PEM file.
pub(super) fn first_certificate(text: &str) -> Result<Pem, String> {
    certificates(text, "the TLS certificate")?
        .into_iter()
        .next()
        .ok_or_else(|| NONE.to_owned())
}

/// The certificates of a PEM file.
pub(super) fn certificates(text: &str, what: &str) -> Result<Vec<Pem>, String> {
    let mut blocks =
        pem::parse_many(text).map_err(|error| format!("{what} is no PEM file ({error})"))?;
    if labels::count(text) != Some(2 * blocks.len()) {
        return Err(format!(
            "{what} has characters, or a line of hyphens, that no PEM file has"
        ));
    }
    blocks.retain(|block| block.tag() == TAG);
    Ok(blocks)
}

/// Certificates as PEM, in the one form that this program writes.
pub(super) fn encode(certificates: &[Pem]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    certificates
        .iter()
        .map(|block| pem::encode_config(&Pem::new(TAG, block.contents()), lines))
        .collect()
}

/// Parses one certificate.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    strict::check(der)?;
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("the TLS certificate has bytes after its end".to_owned()),
        Err(error) => Err(format!("the TLS certificate does not parse ({error})")),
    }
}

fn fingerprint(der: &[u8]) -> String {
    let digest = digest(&SHA256, der);
    let pairs = digest.as_ref().chunks(1).map(|byte| HEXUPPER.encode(byte));
    pairs.collect::<Vec<_>>().join(":")
}
