//! A credential out of the files that an operator brings: whose certificate it is, and the chain
//! in its order.

use std::slice;

use pem::Pem;
use ports::{Assembled, CertificateFacts, CredentialFiles, Fault, FaultKind, TlsCredential};
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

    fn facts(&self) -> Result<CertificateFacts, Fault> {
        facts_of(self.block, &self.certificate).map_err(unusable)
    }

    fn pem(&self) -> String {
        encode(slice::from_ref(self.block))
    }
}

/// Puts the credential together.
pub(super) fn assemble(files: &CredentialFiles) -> Result<Assembled, Fault> {
    let key = key_forms::to_pkcs8(&files.private_key)?;
    let pair = private_key::supported(&key).map_err(unusable)?;
    let own = blocks(&files.certificate, "certificate")?;
    let more = match &files.chain {
        Some(chain) => blocks(chain, "chain")?,
        None => Vec::new(),
    };
    let mut pool = Vec::new();
    for block in own.iter().chain(&more) {
        let certificate = parse(block.contents()).map_err(unusable)?;
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
        .ok_or_else(|| mismatch(&pool))?;
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
    let facts = check(&credential).map_err(unusable)?;
    Ok(Assembled {
        facts,
        chain: chain
            .iter()
            .map(|link| Ok((link.subject(), link.facts()?)))
            .collect::<Result<_, Fault>>()?,
        credential,
    })
}

/// From the leaf's issuer upwards. What is left over belongs to another chain, or a link is
/// missing in between.
fn order<'a>(
    leaf: &Candidate<'a>,
    mut pool: Vec<Candidate<'a>>,
) -> Result<Vec<Candidate<'a>>, Fault> {
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
    Err(Fault::new(
        FaultKind::DataCorrupt,
        format!(
            "the certificate \"{}\" does not belong to the chain: \"{}\" was issued by \"{}\", \
             and no certificate of that subject has signed it",
            stray.subject(),
            last.subject(),
            last.certificate.issuer(),
        ),
        "give the intermediate certificates that the issuer sent with the certificate, all of \
         them and no others",
    ))
}

fn blocks(text: &str, what: &str) -> Result<Vec<Pem>, Fault> {
    let blocks = certificates(text, &format!("the {what} file")).map_err(unusable)?;
    if blocks.is_empty() {
        return Err(Fault::new(
            FaultKind::DataCorrupt,
            format!("the {what} file holds no certificate as PEM"),
            "convert a binary one with `openssl x509 -inform DER -in FILE -out CERT.pem`, a .p7b \
             with `openssl pkcs7 -print_certs`",
        ));
    }
    Ok(blocks)
}

fn mismatch(pool: &[Candidate<'_>]) -> Fault {
    let subjects: Vec<_> = pool.iter().map(Candidate::subject).collect();
    Fault::new(
        FaultKind::DataCorrupt,
        format!(
            "the private key does not match the certificate; the files hold: {}",
            subjects.join("; ")
        ),
        "bring the key that the certificate was requested with; `openssl pkey -pubout -in KEY` \
         and `openssl x509 -pubkey -noout -in CERT` print the same where they match",
    )
}

fn unusable(why: String) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        why,
        "check the file with `openssl x509 -noout -text -in FILE`",
    )
}
