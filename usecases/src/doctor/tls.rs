//! The active TLS credential, and what Nginx has of it.

use domain::SchemaState;
use ports::{
    ActiveCredential, CertificateFacts, Dek, FaultKind, NodeRecord, StoredKey, TlsSource, TlsView,
};

use super::Doctor;
use crate::credential::{Active, problem, remedy};
use crate::report::rfc3339;

const MISSING: &str = "make one with `trustpointctl tls renew`, or import one of your CA with \
                       `trustpointctl tls import`";

impl Doctor<'_> {
    pub(super) fn tls(&mut self, record: Option<&NodeRecord>, dek: Option<&Dek>) {
        let active = match record {
            Some(record) if record.schema == SchemaState::Current => {
                self.credential(&record.active_credential, dek)
            }
            Some(_) | None => None,
        };
        self.nginx(record, active.as_ref());
    }

    fn credential(
        &mut self,
        stored: &ActiveCredential,
        dek: Option<&Dek>,
    ) -> Option<CertificateFacts> {
        const NAME: &str = "certificate";
        let is_sealed = |key: &StoredKey| matches!(key, StoredKey::Sealed(_));
        if dek.is_none()
            && matches!(stored, ActiveCredential::Stored(stored) if is_sealed(&stored.key))
        {
            self.not_asked(
                NAME,
                "its private key is sealed, and the DEK is out of reach",
            );
            return None;
        }
        match Active::open(self.node, stored, dek) {
            Active::Missing => {
                self.warn(NAME, "there is no active TLS server credential", MISSING);
                None
            }
            Active::Unusable(refused) => {
                self.fault(NAME, refused);
                None
            }
            Active::Readable(_, facts) => {
                let which = short(&facts.sha256_fingerprint);
                self.pass(NAME, format!("{which}, its key matches"));
                self.validity(&facts);
                Some(facts)
            }
        }
    }

    fn validity(&mut self, facts: &CertificateFacts) {
        const NAME: &str = "certificate_validity";
        let now = self.node.host.clock.now();
        let seen = format!(
            "valid from {} until {}",
            rfc3339(facts.not_before),
            rfc3339(facts.not_after)
        );
        let Some(problem) = problem(facts, now) else {
            return self.pass(NAME, seen);
        };
        let detail = format!("{problem}: {seen}");
        let hint = remedy(self.node, facts);
        if facts.is_valid_at(now) {
            self.warn(NAME, detail, hint);
        } else {
            self.fail(NAME, FaultKind::DataCorrupt, detail, hint);
        }
    }

    fn nginx(&mut self, record: Option<&NodeRecord>, active: Option<&CertificateFacts>) {
        const NAME: &str = "nginx_tls_set";
        let directory = self.node.web.tls.directory();
        let start = "run `trustpointctl startup`, which gives Nginx its set";
        match self.node.web.tls.view() {
            Err(fault) => self.fault(NAME, fault),
            Ok(TlsView::Absent) if record.is_none() => {
                self.pass(NAME, format!("there is none in {directory} yet"));
            }
            Ok(TlsView::Absent) => {
                let detail = format!("there is none in {directory}");
                self.fail(NAME, FaultKind::DataCorrupt, detail, start);
            }
            Ok(TlsView::Unusable(why)) => self.fail(NAME, FaultKind::DataCorrupt, why, start),
            Ok(TlsView::Usable(set)) => {
                let fingerprint = &set.facts.sha256_fingerprint;
                if active.is_none_or(|active| active.sha256_fingerprint == *fingerprint) {
                    let source = set.source.map_or("of another source", TlsSource::name);
                    self.pass(NAME, format!("{} ({source})", short(fingerprint)));
                } else {
                    let which = short(fingerprint);
                    let detail = format!("{which}, which is not the active credential");
                    self.warn(NAME, detail, start);
                }
            }
        }
    }
}

/// As much of a fingerprint as tells one certificate from another; `tls show` has all of it.
fn short(fingerprint: &str) -> String {
    /// Eight bytes.
    const SHORT: usize = 23;
    match fingerprint.get(..SHORT) {
        Some(first) => format!("{first}:…"),
        None => fingerprint.to_owned(),
    }
}
