//! The active TLS credential, and what Nginx has of it.

use domain::SchemaState;
use ports::{CertificateFacts, CredentialKey, Dek, FaultKind, NodeRecord, TlsSource, TlsView};

use super::{Doctor, is_softhsm};
use crate::report::rfc3339;
use crate::startup::{Active, TlsWork, problem, remedy};

const MISSING: &str = "make one with `trustpointctl tls renew`, or import one of your CA with \
                       `trustpointctl tls import`";

impl Doctor<'_> {
    pub(super) fn tls(&mut self, record: Option<&NodeRecord>, dek: Option<&Dek>) {
        let active = match record {
            Some(record) if record.schema == SchemaState::Current => {
                self.credential(is_softhsm(Some(record)), dek)
            }
            Some(_) | None => None,
        };
        self.nginx(record, active.as_ref());
    }

    fn credential(&mut self, sealed: bool, dek: Option<&Dek>) -> Option<CertificateFacts> {
        const NAME: &str = "certificate";
        let work = TlsWork {
            node: self.node,
            dek,
            sealed,
        };
        if dek.is_none() && self.is_out_of_reach() {
            self.not_asked(
                NAME,
                "its private key is sealed, and the DEK is out of reach",
            );
            return None;
        }
        match work.active() {
            Err(fault) => {
                self.fault(NAME, fault);
                None
            }
            Ok(Active::Missing) => {
                self.warn(NAME, "there is no active TLS server credential", MISSING);
                None
            }
            Ok(Active::Unusable(fault)) => {
                self.fault(NAME, fault);
                None
            }
            Ok(Active::Readable(_, facts)) => {
                self.pass(
                    NAME,
                    format!("{}: its key matches", facts.sha256_fingerprint),
                );
                self.validity(&facts);
                Some(facts)
            }
        }
    }

    /// Whether there is one that is sealed.
    fn is_out_of_reach(&self) -> bool {
        let active = self.node.database.active_credential(None);
        matches!(active, Ok(Some(active)) if matches!(active.key, CredentialKey::Sealed))
    }

    fn validity(&mut self, facts: &CertificateFacts) {
        const NAME: &str = "certificate_validity";
        let now = self.node.clock.now();
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
        let directory = self.node.tls.directory();
        let start = "run `trustpointctl startup`, which gives Nginx its set";
        match self.node.tls.view() {
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
                    self.pass(NAME, format!("{fingerprint} ({source})"));
                } else {
                    let detail = format!("{fingerprint}, which is not the active credential");
                    self.warn(NAME, detail, start);
                }
            }
        }
    }
}
