//! Which TLS set Nginx gets, and from where.

use domain::TlsGoal;
use ports::{
    ActiveCredential, CertificateFacts, CredentialKey, CredentialOrigin, Dek, Fault, FaultKind,
    Published, TlsCredential, TlsSet, TlsSource, TlsView,
};
use time::{Duration, OffsetDateTime};

use crate::node::Node;
use crate::report::{TlsReport, rfc3339};

/// A certificate that ends within this time is warned about.
pub const SOON: Duration = Duration::days(30);

const UNUSABLE: &str = "make a new self-signed one with `trustpointctl tls renew`, import one of \
                        your CA with `trustpointctl tls import`, put an earlier one to use with \
                        `trustpointctl tls activate`, or bring an older database back with \
                        `trustpointctl backup restore`; nothing was overwritten";

/// Provides Nginx with its set.
pub struct TlsWork<'a> {
    /// The node.
    pub node: &'a Node,
    /// The DEK, where it is accessible.
    pub dek: Option<&'a Dek>,
    /// Whether a new credential has to be sealed (HSM storage).
    pub sealed: bool,
}

/// What Nginx has now.
pub struct Provided {
    /// Where it comes from.
    pub source: Option<TlsSource>,
    /// What its certificate says.
    pub facts: CertificateFacts,
    /// Whether anything was changed.
    pub changed: bool,
    /// For the report.
    pub detail: String,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
}

/// The active credential, as far as it can be used.
pub enum Active {
    /// There is none.
    Missing,
    /// Its key can be read and matches.
    Readable(TlsCredential, CertificateFacts),
    /// It is there and cannot be used.
    Unusable(Fault),
}

impl TlsWork<'_> {
    /// Reaches the goal.
    ///
    /// # Errors
    /// A credential that is there and cannot be used where the goal needs it
    /// ([`FaultKind::DataCorrupt`]), or a failed write.
    pub fn provide(&self, goal: TlsGoal) -> Result<Provided, Fault> {
        match goal {
            TlsGoal::FromDatabase => self.publish_active(),
            TlsGoal::ReuseOrGenerate => self.reuse_or_generate(),
            TlsGoal::KeepOrTemporary => match self.node.tls.view()? {
                TlsView::Usable(set) => Ok(self.keep(set)),
                TlsView::Absent | TlsView::Unusable(_) => self.temporary(),
            },
            TlsGoal::Temporary => match self.node.tls.view()? {
                TlsView::Usable(set) if self.is_waiting_set(&set) => Ok(self.keep(set)),
                TlsView::Usable(_) | TlsView::Absent | TlsView::Unusable(_) => self.temporary(),
            },
        }
    }

    /// Whether [`TlsWork::provide`] would have to write into Nginx's directory; `active` where it
    /// could be read already.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn is_write_due(&self, goal: TlsGoal, active: Option<&Active>) -> Result<bool, Fault> {
        let TlsView::Usable(set) = self.node.tls.view()? else {
            return Ok(true);
        };
        Ok(match (goal, active) {
            (TlsGoal::KeepOrTemporary, _) => false,
            (TlsGoal::Temporary, _) => !self.is_waiting_set(&set),
            (TlsGoal::FromDatabase | TlsGoal::ReuseOrGenerate, None) => false,
            (TlsGoal::FromDatabase | TlsGoal::ReuseOrGenerate, Some(active)) => match active {
                Active::Readable(_, facts) => {
                    let is_renewed = goal == TlsGoal::ReuseOrGenerate
                        && facts.has_ended_at(self.node.clock.now());
                    is_renewed || *facts != set.facts
                }
                Active::Missing | Active::Unusable(_) => true,
            },
        })
    }

    /// Reads the active credential and checks that it can be used.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn active(&self) -> Result<Active, Fault> {
        let active = match self.node.database.active_credential(self.dek) {
            Ok(Some(active)) => active,
            Ok(None) => return Ok(Active::Missing),
            Err(fault) if fault.kind() == FaultKind::DataCorrupt => {
                return Ok(Active::Unusable(unusable(fault)));
            }
            Err(fault) => return Err(fault),
        };
        Ok(match self.open(active) {
            Ok((credential, facts)) => Active::Readable(credential, facts),
            Err(fault) => Active::Unusable(fault),
        })
    }

    /// Gives Nginx a credential that is saved in the database.
    ///
    /// # Errors
    /// A failed write.
    pub fn publish_saved(
        &self,
        credential: &TlsCredential,
        facts: CertificateFacts,
        source: TlsSource,
    ) -> Result<Provided, Fault> {
        // In the directory a saved set is one of the database, whoever made it.
        let published = self.node.tls.publish(credential, TlsSource::Database)?;
        let changed = source == TlsSource::Generated || published == Published::Replaced;
        let detail = match (source, published) {
            (TlsSource::Generated, _) => "a new credential was made and saved",
            (_, Published::Replaced) => "the active credential was given to Nginx",
            (_, Published::Unchanged) => "Nginx has the active credential already",
        };
        let warnings = self.validity_warnings(&facts);
        Ok(Provided {
            source: Some(source),
            facts,
            changed,
            detail: detail.into(),
            warnings,
        })
    }

    /// Makes a credential and saves it as the active one.
    ///
    /// # Errors
    /// Names that no certificate can have, or a failed write.
    pub fn generate(&self, san: &[String]) -> Result<(TlsCredential, CertificateFacts), Fault> {
        let seal_with = match (self.sealed, self.dek) {
            (true, None) => {
                return Err(Fault::new(
                    FaultKind::Internal,
                    "a credential has to be sealed while the DEK is out of reach",
                    "report this with the output of `trustpointctl --format json status`",
                ));
            }
            (true, dek) => dek,
            (false, _) => None,
        };
        let now = self.node.clock.now();
        let credential = self.node.issuer.issue(san, now)?;
        let facts = self.node.issuer.inspect(&credential)?;
        self.node
            .database
            .save_active_credential(&credential, &facts, seal_with, now)?;
        Ok((credential, facts))
    }

    fn publish_active(&self) -> Result<Provided, Fault> {
        match self.active()? {
            Active::Readable(credential, facts) => {
                self.publish_saved(&credential, facts, TlsSource::Database)
            }
            Active::Unusable(fault) => Err(fault),
            Active::Missing => {
                let mut provided = self.publish_new()?;
                provided.warnings.push(
                    "this completed node had no active TLS server credential: a new one was made, \
                     and clients will see another fingerprint"
                        .into(),
                );
                Ok(provided)
            }
        }
    }

    fn reuse_or_generate(&self) -> Result<Provided, Fault> {
        match self.active()? {
            // One that is not valid yet says that the clock is wrong: each start would make another.
            Active::Readable(credential, facts) if !facts.has_ended_at(self.node.clock.now()) => {
                self.publish_saved(&credential, facts, TlsSource::Database)
            }
            Active::Readable(_, facts) => {
                let mut provided = self.publish_new()?;
                provided.warnings.push(format!(
                    "the TLS server certificate before this one was valid until {}",
                    rfc3339(facts.not_after)
                ));
                Ok(provided)
            }
            Active::Unusable(fault) => {
                let mut provided = self.publish_new()?;
                provided.warnings.push(format!(
                    "a new TLS server credential was made, since {fault}; the old one is still in \
                     the database"
                ));
                Ok(provided)
            }
            Active::Missing => self.publish_new(),
        }
    }

    fn publish_new(&self) -> Result<Provided, Fault> {
        let (credential, facts) = self.generate(&self.node.settings.san)?;
        self.publish_saved(&credential, facts, TlsSource::Generated)
    }

    fn temporary(&self) -> Result<Provided, Fault> {
        let credential = self
            .node
            .issuer
            .issue(&self.node.settings.san, self.node.clock.now())?;
        let facts = self.node.issuer.inspect(&credential)?;
        self.node.tls.publish(&credential, TlsSource::Temporary)?;
        Ok(Provided {
            source: Some(TlsSource::Temporary),
            facts,
            changed: true,
            detail: "a temporary credential was made, and not saved".into(),
            warnings: Vec::new(),
        })
    }

    fn keep(&self, set: TlsSet) -> Provided {
        Provided {
            warnings: self.validity_warnings(&set.facts),
            source: set.source,
            facts: set.facts,
            changed: false,
            detail: "the set that Nginx has is kept".into(),
        }
    }

    /// A temporary set that still stands from an earlier start of this wait.
    fn is_waiting_set(&self, set: &TlsSet) -> bool {
        set.source == Some(TlsSource::Temporary) && !set.facts.has_ended_at(self.node.clock.now())
    }

    fn open(&self, active: ActiveCredential) -> Result<(TlsCredential, CertificateFacts), Fault> {
        let corrupt = |why: String| {
            Fault::new(
                FaultKind::DataCorrupt,
                format!(
                    "the active TLS server credential ({}) in {} cannot be used: {why}",
                    active.sha256_fingerprint, self.node.settings.database_path
                ),
                UNUSABLE,
            )
        };
        let CredentialKey::Readable(private_key_pem) = active.key else {
            return Err(corrupt(
                "its private key is sealed and the DEK is out of reach".into(),
            ));
        };
        let credential = TlsCredential {
            private_key_pem,
            certificate_pem: active.certificate_pem,
            chain_pem: active.chain_pem,
        };
        let facts = self
            .node
            .issuer
            .inspect(&credential)
            .map_err(|fault| corrupt(fault.to_string()).because(fault))?;
        if facts.sha256_fingerprint != active.sha256_fingerprint {
            return Err(corrupt(format!(
                "its certificate has the fingerprint {}",
                facts.sha256_fingerprint
            )));
        }
        Ok((credential, facts))
    }

    fn validity_warnings(&self, facts: &CertificateFacts) -> Vec<String> {
        match problem(facts, self.node.clock.now()) {
            Some(problem) => vec![format!(
                "the TLS server certificate {problem}: {}",
                remedy(self.node, facts)
            )],
            None => Vec::new(),
        }
    }
}

/// A stored credential that cannot be read, with the ways out.
pub fn unusable(fault: Fault) -> Fault {
    let message = format!("a stored TLS server credential cannot be used: {fault}");
    Fault::new(fault.kind(), message, UNUSABLE).because(fault)
}

/// What is wrong with a validity, or soon will be.
pub fn problem(facts: &CertificateFacts, now: OffsetDateTime) -> Option<String> {
    let until = rfc3339(facts.not_after);
    if facts.has_ended_at(now) {
        Some(format!("is not valid any more (until {until})"))
    } else if !facts.is_valid_at(now) {
        Some(format!(
            "is not valid yet (from {}; this machine's clock says {}, is it right?)",
            rfc3339(facts.not_before),
            rfc3339(now)
        ))
    } else if facts.not_after - now < SOON {
        Some(format!("ends within 30 days, at {until}"))
    } else {
        None
    }
}

/// What to do about the end of a certificate: one that a CA has issued is not renewed by a
/// self-signed one.
pub fn remedy(node: &Node, facts: &CertificateFacts) -> &'static str {
    let is_it = |fingerprint: &str| fingerprint == facts.sha256_fingerprint;
    // Only the advice depends on it: what is wrong with the database is said elsewhere.
    let stored = node.credentials.list().unwrap_or_default();
    let origin = stored
        .iter()
        .find(|stored| is_it(&stored.facts.sha256_fingerprint))
        .map(|stored| stored.origin);
    match origin {
        Some(CredentialOrigin::Imported) => {
            "it was imported: have its CA issue a new one and import that with `trustpointctl tls \
             import`"
        }
        Some(CredentialOrigin::Generated) => "make a new one with `trustpointctl tls renew`",
        None => {
            "make a new self-signed one with `trustpointctl tls renew`, or import one of your CA \
             with `trustpointctl tls import`"
        }
    }
}

/// What Nginx has now, for a report that changes nothing.
pub fn standing(node: &Node) -> Result<Option<TlsReport>, Fault> {
    Ok(match node.tls.view()? {
        TlsView::Usable(set) => Some(TlsReport::new(set.source, &set.facts)),
        TlsView::Absent | TlsView::Unusable(_) => None,
    })
}
