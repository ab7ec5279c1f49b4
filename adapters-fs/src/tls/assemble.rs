//! A credential out of the files that an operator brings: whose certificate it is, and the chain
//! in its order.

use std::slice;

use pem::Pem;
use ports::{Assembled, CertificateFacts, CredentialFiles, TlsCredential, TlsError};
use rcgen::PublicKeyData as _;
use x509_parser::certificate::X509Certificate;

use super::certificate::{certificates, check, encode, facts_of, parse};
use super::chain::is_signed_by;
use super::{key_forms, private_key};

/// One certificate of the files.
struct Candidate<'a> {
    block: &'a Pem,
    certificate: X509Certificate<'a>,
}

impl Candidate<'_> {
    fn subject(&self) -> String {
        self.certificate.subject().to_string()
    }

    fn is_signed_by(&self, issuer: &Self) -> bool {
        is_signed_by(&self.certificate, &issuer.certificate)
    }

    fn facts(&self) -> CertificateFacts {
        facts_of(self.block, &self.certificate)
    }

    fn pem(&self) -> String {
        encode(slice::from_ref(self.block))
    }
}

/// Puts the credential together.
pub(super) fn assemble(files: &CredentialFiles) -> Result<Assembled, TlsError> {
    let key = key_forms::to_pkcs8(&files.private_key)?;
    let pair = private_key::supported(&key).map_err(TlsError::Certificate)?;
    let own = blocks(&files.certificate, "certificate")?;
    let more = match &files.chain {
        Some(chain) => blocks(chain, "chain")?,
        None => Vec::new(),
    };
    let mut pool = Vec::new();
    for block in own.iter().chain(&more) {
        let certificate = parse(block.contents()).map_err(TlsError::Certificate)?;
        let is_known = |known: &Candidate<'_>| known.block.contents() == block.contents();
        if !pool.iter().any(is_known) {
            pool.push(Candidate { block, certificate });
        }
    }
    let is_ours = |candidate: &Candidate<'_>| {
        candidate.certificate.public_key().raw == pair.subject_public_key_info()
    };
    let place = pool
        .iter()
        .position(is_ours)
        .ok_or_else(|| TlsError::OtherKey {
            subjects: pool.iter().map(Candidate::subject).collect(),
        })?;
    let leaf = pool.swap_remove(place);
    let chain = order(&leaf, pool)?;
    let chain_pem = match chain.as_slice() {
        // Self-signed: its own trust anchor, so that `ssl_trusted_certificate` has a file.
        [] => leaf.is_signed_by(&leaf).then(|| leaf.pem()),
        some => Some(some.iter().map(Candidate::pem).collect()),
    };
    let credential = TlsCredential {
        private_key_pem: private_key::to_pem(&key),
        certificate_pem: leaf.pem(),
        chain_pem,
    };
    // What the next start would not give to Nginx is not taken in.
    let facts = check(&credential).map_err(TlsError::Certificate)?;
    Ok(Assembled {
        facts,
        chain: chain
            .iter()
            .map(|link| (link.subject(), link.facts()))
            .collect(),
        credential,
    })
}

/// From the leaf's issuer upwards. What is left over belongs to another chain, or a link is
/// missing in between.
fn order<'a>(
    leaf: &Candidate<'a>,
    mut pool: Vec<Candidate<'a>>,
) -> Result<Vec<Candidate<'a>>, TlsError> {
    let mut chain: Vec<Candidate<'a>> = Vec::new();
    loop {
        let last = chain.last().unwrap_or(leaf);
        // A key that was certified twice has two issuers that fit: one that leads on is preferred.
        let fitting: Vec<_> = (0..pool.len())
            .filter(|place| pool.get(*place).is_some_and(|link| last.is_signed_by(link)))
            .collect();
        let leads_on = fitting.iter().find(|place| {
            pool.get(**place).is_some_and(|link| {
                pool.iter()
                    .any(|next| link.is_signed_by(next) && !link.is_signed_by(link))
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
        stray: stray.subject(),
        last: last.subject(),
        issuer: last.certificate.issuer().to_string(),
    })
}

fn blocks(text: &str, file: &'static str) -> Result<Vec<Pem>, TlsError> {
    let blocks = certificates(text, &format!("the {file} file")).map_err(TlsError::Certificate)?;
    if blocks.is_empty() {
        return Err(TlsError::NoCertificate(file));
    }
    Ok(blocks)
}
