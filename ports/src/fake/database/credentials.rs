//! The stored credentials of the fake database.

use time::OffsetDateTime;

use super::{FakeDatabase, State, Stored, corrupt};
use crate::{
    ActiveCredential, CertificateFacts, CredentialKey, CredentialOrigin, Credentials, Dek, Fault,
    StoredCredential, TlsCredential,
};

impl State {
    pub(super) fn read(stored: &Stored, dek: Option<&Dek>) -> Result<ActiveCredential, Fault> {
        let key = match (&stored.sealed_under, dek) {
            (None, _) => CredentialKey::Readable(stored.key.clone()),
            (Some(_), None) => CredentialKey::Sealed,
            (Some(under), Some(dek)) if under.is_same(dek) => {
                CredentialKey::Readable(stored.key.clone())
            }
            (Some(_), Some(_)) => return Err(corrupt("the private key does not open")),
        };
        Ok(ActiveCredential {
            sha256_fingerprint: stored.facts.sha256_fingerprint.clone(),
            certificate_pem: stored.certificate_pem.clone(),
            chain_pem: stored.chain_pem.clone(),
            key,
        })
    }

    pub(super) fn save(
        &mut self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        origin: CredentialOrigin,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        self.node()?;
        let known = self
            .credentials
            .iter_mut()
            .find(|stored| stored.facts.sha256_fingerprint == facts.sha256_fingerprint);
        match known {
            None => self.credentials.push(Stored {
                facts: facts.clone(),
                origin,
                stored_at: now,
                certificate_pem: credential.certificate_pem.clone(),
                chain_pem: credential.chain_pem.clone(),
                key: credential.private_key_pem.clone(),
                sealed_under: dek.cloned(),
            }),
            Some(stored) => {
                stored.chain_pem.clone_from(&credential.chain_pem);
                if dek.is_some() {
                    stored.key = credential.private_key_pem.clone();
                    stored.sealed_under = dek.cloned();
                }
            }
        }
        self.active = Some(facts.sha256_fingerprint.clone());
        self.change(())
    }
}

impl Credentials for FakeDatabase {
    fn list(&self) -> Result<Vec<StoredCredential>, Fault> {
        let state = self.0.borrow();
        let newest_first = state.credentials.iter().rev();
        Ok(newest_first
            .map(|stored| StoredCredential {
                facts: stored.facts.clone(),
                origin: stored.origin,
                is_sealed: stored.sealed_under.is_some(),
                is_active: state.active.as_ref() == Some(&stored.facts.sha256_fingerprint),
                stored_at: Some(stored.stored_at),
            })
            .collect())
    }

    fn find(
        &self,
        fingerprint: &str,
        dek: Option<&Dek>,
    ) -> Result<Option<ActiveCredential>, Fault> {
        let state = self.0.borrow();
        let found = state
            .credentials
            .iter()
            .find(|stored| stored.facts.sha256_fingerprint == fingerprint);
        found.map(|stored| State::read(stored, dek)).transpose()
    }

    fn save_active(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        origin: CredentialOrigin,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .save(credential, facts, origin, dek, now)
    }
}
