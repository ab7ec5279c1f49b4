//! Reading certificates strictly, and whether a private key is a certificate's key.
//!
//! What passes here is given to Nginx, encoded anew: OpenSSL has to be able to load it, and it has
//! to be what was stored.

use data_encoding::HEXUPPER;
use pem::{EncodeConfig, LineEnding, Pem};
use ports::{CertificateFacts, TlsCredential};
use rcgen::PublicKeyData as _;
use ring::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{chain, labels, private_key, strict};

const TAG: &str = "CERTIFICATE";

/// Reads a credential, and checks that the private key is the certificate's and each certificate
/// signed by the next; the error says what is wrong. Gives it encoded anew from what was read.
pub(super) fn read(
    credential: &TlsCredential,
) -> Result<(TlsCredential, CertificateFacts), String> {
    let key = private_key::from_pem(&credential.private_key_pem)?;
    let blocks = certificates(&credential.certificate_pem, "the TLS certificate")?;
    let own = parse_all(&blocks)?;
    let leaf = own.first().ok_or(NONE)?;
    if leaf.public_key().raw != key.subject_public_key_info() {
        return Err("the private key does not match the TLS certificate".to_owned());
    }
    // Nginx gives out what follows in the same file as well.
    chain::check(&own)?;
    let chain = credential.chain_pem.as_deref();
    let anew = TlsCredential {
        private_key_pem: private_key::to_pem(key.serialized_der()),
        certificate_pem: own.iter().map(encode).collect(),
        chain_pem: chain.map(|chain| read_chain(chain, leaf)).transpose()?,
    };
    Ok((anew, facts_of(leaf)))
}

/// A chain may begin with the certificate itself.
fn read_chain(text: &str, leaf: &X509Certificate<'_>) -> Result<String, String> {
    let blocks = certificates(text, "the TLS chain")?;
    let first = blocks
        .first()
        .ok_or("there is no certificate in the TLS chain")?;
    let is_leaf_among_them = first.contents() == leaf.as_raw();
    let above = blocks.iter().skip(usize::from(is_leaf_among_them));
    let mut path = vec![leaf.clone()];
    for block in above {
        path.push(parse(block.contents()).map_err(|why| format!("in the TLS chain, {why}"))?);
    }
    chain::check(&path)?;
    let chain = path.iter().skip(usize::from(!is_leaf_among_them));
    Ok(chain.map(encode).collect())
}

fn parse_all(blocks: &[Pem]) -> Result<Vec<X509Certificate<'_>>, String> {
    blocks.iter().map(|block| parse(block.contents())).collect()
}

/// What a certificate says.
pub(super) fn facts_of(certificate: &X509Certificate<'_>) -> CertificateFacts {
    let digest = digest(&SHA256, certificate.as_raw());
    let pairs = digest.as_ref().chunks(1).map(|byte| HEXUPPER.encode(byte));
    let validity = certificate.validity();
    CertificateFacts {
        sha256_fingerprint: pairs.collect::<Vec<_>>().join(":"),
        not_before: validity.not_before.to_datetime(),
        not_after: validity.not_after.to_datetime(),
    }
}

pub(super) const NONE: &str = "there is no TLS certificate in the file";

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

/// A certificate as PEM, in the one form that this program writes.
pub(super) fn encode(certificate: &X509Certificate<'_>) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new(TAG, certificate.as_raw()), lines)
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
