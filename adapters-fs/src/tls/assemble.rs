//! A credential out of the files that an operator brings: whose certificate it is, and the chain
//! in its order.

use pem::Pem;
use ports::{Assembled, CredentialFiles, TlsCredential, TlsError};
use rcgen::PublicKeyData as _;
use x509_parser::certificate::X509Certificate;

use super::certificate::{certificates, encode, facts_of, parse, read};
use super::chain::is_signed_by;
use super::{key_forms, private_key};

/// Puts the credential together.
pub(super) fn assemble(files: &CredentialFiles) -> Result<Assembled, TlsError> {
    let key = key_forms::read(&files.private_key)?;
    let mut blocks = blocks_of(&files.certificate, "certificate")?;
    if let Some(chain) = &files.chain {
        blocks.extend(blocks_of(chain, "chain")?);
    }
    let mut pool: Vec<X509Certificate<'_>> = Vec::new();
    for block in &blocks {
        let certificate = parse(block.contents()).map_err(TlsError::Certificate)?;
        let is_known = |known: &X509Certificate<'_>| known.as_raw() == certificate.as_raw();
        if !pool.iter().any(is_known) {
            pool.push(certificate);
        }
    }
    let is_ours = |candidate: &X509Certificate<'_>| {
        candidate.public_key().raw == key.subject_public_key_info()
    };
    let place = pool
        .iter()
        .position(is_ours)
        .ok_or_else(|| TlsError::OtherKey {
            subjects: pool.iter().map(subject).collect(),
        })?;
    let leaf = pool.swap_remove(place);
    let chain = order(&leaf, pool)?;
    let chain_pem = match chain.as_slice() {
        // Self-signed: its own trust anchor, so that `ssl_trusted_certificate` has a file.
        [] => is_signed_by(&leaf, &leaf).then(|| encode(&leaf)),
        some => Some(some.iter().map(encode).collect()),
    };
    // What the next start would not give to Nginx is not taken in.
    let (credential, facts) = read(&TlsCredential {
        private_key_pem: private_key::to_pem(key.serialized_der()),
        certificate_pem: encode(&leaf),
        chain_pem,
    })
    .map_err(TlsError::Certificate)?;
    Ok(Assembled {
        credential,
        facts,
        chain: chain
            .iter()
            .map(|link| (subject(link), facts_of(link)))
            .collect(),
    })
}

fn subject(certificate: &X509Certificate<'_>) -> String {
    certificate.subject().to_string()
}

/// From the leaf's issuer upwards. What is left over belongs to another chain, or a link is
/// missing in between.
fn order<'a>(
    leaf: &X509Certificate<'a>,
    mut pool: Vec<X509Certificate<'a>>,
) -> Result<Vec<X509Certificate<'a>>, TlsError> {
    let mut chain: Vec<X509Certificate<'a>> = Vec::new();
    loop {
        let last = chain.last().unwrap_or(leaf);
        // A key that was certified twice has two issuers that fit: one that leads on is preferred.
        let fitting: Vec<_> = (0..pool.len())
            .filter(|place| {
                pool.get(*place)
                    .is_some_and(|link| is_signed_by(last, link))
            })
            .collect();
        let leads_on = fitting.iter().find(|place| {
            pool.get(**place).is_some_and(|link| {
                pool.iter()
                    .any(|next| is_signed_by(link, next) && !is_signed_by(link, link))
            })
        });
        match leads_on.or(fitting.first()) {
            Some(place) => {
                let link = pool.swap_remove(*place);
                chain.push(link);
            }
            None => break,
        }
    }
    let Some(stray) = pool.first() else {
        return Ok(chain);
    };
    let last = chain.last().unwrap_or(leaf);
    Err(TlsError::Stray {
        stray: subject(stray),
        last: subject(last),
        issuer: last.issuer().to_string(),
    })
}

fn blocks_of(text: &str, file: &'static str) -> Result<Vec<Pem>, TlsError> {
    let blocks = certificates(text, &format!("the {file} file")).map_err(TlsError::Certificate)?;
    if blocks.is_empty() {
        return Err(TlsError::NoCertificate(file));
    }
    Ok(blocks)
}
