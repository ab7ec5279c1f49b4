//! A TLS issuer without cryptography, and the Nginx directory in memory.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use time::{Duration, OffsetDateTime};

use super::FileFailures;
use crate::{
    Assembled, CertificateDetails, CertificateFacts, CredentialFiles, Published, Secret,
    TlsCredential, TlsError, TlsIssuer, TlsSet, TlsSource, TlsStore, TlsView,
};

/// Makes credentials that are lines of text: a key is right for the certificate of its number.
#[derive(Clone, Debug, Default)]
pub struct FakeTlsIssuer {
    /// Operations that fail.
    pub failures: FileFailures,
    made: Rc<Cell<u64>>,
}

impl TlsIssuer for FakeTlsIssuer {
    fn issue(&self, san: &[String], now: OffsetDateTime) -> Result<TlsCredential, TlsError> {
        self.failures.check("issue")?;
        let is_name = |name: &String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".:-*_".contains(&byte))
        };
        if san.is_empty() || !san.iter().all(is_name) {
            return Err(TlsError::Name {
                entry: format!("{san:?}"),
                why: "it is no name to the fake",
            });
        }
        self.made.set(self.made.get() + 1);
        let number = self.made.get();
        let begin = (now - Duration::days(1)).unix_timestamp();
        let end = (now + Duration::days(365)).unix_timestamp();
        let certificate_pem = format!("fake certificate {number} {begin} {end}\n");
        Ok(TlsCredential {
            private_key_pem: Secret::from(format!("fake key {number}\n")),
            chain_pem: Some(certificate_pem.clone()),
            certificate_pem,
        })
    }

    fn inspect(&self, credential: &TlsCredential) -> Result<CertificateFacts, TlsError> {
        self.failures.check("inspect")?;
        inspect(credential)
    }

    fn describe(&self, certificate_pem: &str) -> Result<CertificateDetails, TlsError> {
        self.failures.check("describe")?;
        let (number, _) = parse(certificate_pem).ok_or_else(corrupt)?;
        Ok(CertificateDetails {
            subject: format!("CN=fake {number}"),
            issuer: format!("CN=fake {number}"),
            key_kind: "fake".to_owned(),
            san: Vec::new(),
        })
    }

    /// Every certificate of the fake is self-signed: a chain is never longer than itself.
    fn assemble(&self, files: &CredentialFiles) -> Result<Assembled, TlsError> {
        self.failures.check("assemble")?;
        let is_stray = |chain: &String| *chain != files.certificate;
        if files.chain.as_ref().is_some_and(is_stray) {
            return Err(corrupt());
        }
        let credential = TlsCredential {
            private_key_pem: files.private_key.clone(),
            certificate_pem: files.certificate.clone(),
            chain_pem: Some(files.certificate.clone()),
        };
        Ok(Assembled {
            facts: inspect(&credential)?,
            chain: Vec::new(),
            credential,
        })
    }
}

fn inspect(credential: &TlsCredential) -> Result<CertificateFacts, TlsError> {
    let (number, facts) = parse(&credential.certificate_pem).ok_or_else(corrupt)?;
    let key = format!("fake key {number}\n");
    if credential.private_key_pem.expose() != key.as_bytes() {
        return Err(corrupt());
    }
    Ok(facts)
}

fn parse(certificate_pem: &str) -> Option<(u64, CertificateFacts)> {
    let mut words = certificate_pem
        .strip_prefix("fake certificate ")?
        .split_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut date = || OffsetDateTime::from_unix_timestamp(words.next()?.parse().ok()?).ok();
    let (not_before, not_after) = (date()?, date()?);
    Some((
        number,
        CertificateFacts {
            sha256_fingerprint: fingerprint(certificate_pem),
            not_before,
            not_after,
        },
    ))
}

/// Of the right form, and another one for another certificate.
fn fingerprint(certificate_pem: &str) -> String {
    let mut bytes = Vec::new();
    for part in 0..4_u8 {
        let mut hasher = DefaultHasher::new();
        (part, certificate_pem).hash(&mut hasher);
        bytes.extend(hasher.finish().to_be_bytes().map(|b| format!("{b:02X}")));
    }
    bytes.join(":")
}

fn corrupt() -> TlsError {
    let why = "the fake credential does not parse, or its key is not the certificate's";
    TlsError::Unusable(why.into())
}

type Standing = (TlsCredential, Option<TlsSource>);

/// The Nginx directory.
#[derive(Clone, Debug, Default)]
pub struct FakeTlsStore {
    /// Operations that fail.
    pub failures: FileFailures,
    standing: Rc<RefCell<Option<Standing>>>,
    unusable: Rc<RefCell<Option<String>>>,
}

impl FakeTlsStore {
    /// Puts files there that Nginx could not start with, until the next set is published.
    pub fn spoil(&self, why: &str) {
        *self.unusable.borrow_mut() = Some(why.to_owned());
    }

    /// The set that stands there.
    #[must_use]
    pub fn standing(&self) -> Option<TlsCredential> {
        let standing = self.standing.borrow();
        standing.as_ref().map(|(credential, _)| credential.clone())
    }
}

impl TlsStore for FakeTlsStore {
    fn view(&self) -> Result<TlsView, TlsError> {
        self.failures.check("view")?;
        if let Some(why) = &*self.unusable.borrow() {
            return Ok(TlsView::Unusable(why.clone()));
        }
        Ok(match &*self.standing.borrow() {
            None => TlsView::Absent,
            Some((credential, source)) => TlsView::Usable(TlsSet {
                source: *source,
                facts: inspect(credential)?,
            }),
        })
    }

    fn publish(
        &self,
        credential: &TlsCredential,
        source: TlsSource,
    ) -> Result<Published, TlsError> {
        inspect(credential)?;
        self.failures.check("publish")?;
        let is_spoiled = self.unusable.borrow_mut().take().is_some();
        let before = self
            .standing
            .borrow_mut()
            .replace((credential.clone(), Some(source)));
        let is_same = before.is_some_and(|(before, _)| {
            before.private_key_pem == credential.private_key_pem
                && before.certificate_pem == credential.certificate_pem
                && before.chain_pem == credential.chain_pem
        });
        Ok(if is_same && !is_spoiled {
            Published::Unchanged
        } else {
            Published::Replaced
        })
    }

    fn check_writable(&self) -> Result<(), TlsError> {
        Ok(self.failures.check("check_writable")?)
    }

    fn directory(&self) -> String {
        "/fake/tls".to_owned()
    }
}
