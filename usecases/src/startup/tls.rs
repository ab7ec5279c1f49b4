//! Which TLS set Nginx gets, and from where.

use domain::TlsGoal;
use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, Dek, EventKind, NewCredential, Published,
    TlsCredential, TlsSet, TlsSource, TlsView,
};

use crate::credential::{Active, problem, remedy};
use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::report::{TlsReport, rfc3339};

/// Provides Nginx with its set.
pub struct TlsProvider<'a> {
    /// The node.
    pub node: &'a Node,
    /// The DEK, where it is accessible.
    pub dek: Option<&'a Dek>,
    /// Whether a new credential has to be sealed (HSM storage).
    pub sealed: bool,
    /// The active credential, as the database has it.
    pub stored: &'a ActiveCredential,
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

impl TlsProvider<'_> {
    /// Reaches the goal.
    ///
    /// # Errors
    /// A credential that is there and cannot be used where the goal needs it
    /// ([`ports::FaultKind::DataCorrupt`]), or a failed write.
    pub fn provide(&self, goal: TlsGoal) -> Result<Provided, Error> {
        match goal {
            TlsGoal::FromDatabase => self.publish_active(),
            TlsGoal::ReuseOrGenerate => self.reuse_or_generate(),
            TlsGoal::KeepOrTemporary => match self.node.web.tls.view()? {
                TlsView::Usable(set) => Ok(self.keep(set)),
                TlsView::Absent | TlsView::Unusable(_) => self.temporary(),
            },
            TlsGoal::Temporary => match self.node.web.tls.view()? {
                TlsView::Usable(set) if self.is_reusable_temporary(&set) => Ok(self.keep(set)),
                TlsView::Usable(_) | TlsView::Absent | TlsView::Unusable(_) => self.temporary(),
            },
        }
    }

    /// Whether [`TlsProvider::provide`] would have to write into Nginx's directory; `active` where it
    /// could be read already.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn is_write_due(&self, goal: TlsGoal, active: Option<&Active>) -> Result<bool, Error> {
        let TlsView::Usable(set) = self.node.web.tls.view()? else {
            return Ok(true);
        };
        Ok(match (goal, active) {
            (TlsGoal::KeepOrTemporary, _) => false,
            (TlsGoal::Temporary, _) => !self.is_reusable_temporary(&set),
            (TlsGoal::FromDatabase | TlsGoal::ReuseOrGenerate, None) => false,
            (TlsGoal::FromDatabase | TlsGoal::ReuseOrGenerate, Some(active)) => match active {
                Active::Readable(_, facts) => {
                    let is_renewed = goal == TlsGoal::ReuseOrGenerate
                        && facts.has_ended_at(self.node.host.clock.now());
                    is_renewed || *facts != set.facts
                }
                Active::Missing | Active::Unusable(_) => true,
            },
        })
    }

    /// The active credential, as far as it can be used.
    pub fn active(&self) -> Active {
        Active::open(self.node, self.stored, self.dek)
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
    ) -> Result<Provided, Error> {
        // In the directory a saved set is one of the database, whoever made it.
        let published = self.node.web.tls.publish(credential, TlsSource::Database)?;
        let changed = source == TlsSource::Generated || published == Published::Replaced;
        let detail = match (source, published) {
            (TlsSource::Generated, _) => "a new credential was made and saved",
            (_, Published::Replaced) => "the active credential was given to Nginx",
            (_, Published::Unchanged) => "Nginx has the active credential already",
        };
        let warnings = validity_warning(self.node, &facts).into_iter().collect();
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
    pub fn generate(&self, san: &[String]) -> Result<(TlsCredential, CertificateFacts), Error> {
        let seal_with = match (self.sealed, self.dek) {
            (true, None) => {
                let what = "a credential has to be sealed while the DEK is out of reach";
                return Err(Refused::Defect { what }.into());
            }
            (true, dek) => dek,
            (false, _) => None,
        };
        let now = self.node.host.clock.now();
        let credential = self.node.web.issuer.issue(san, now)?;
        let facts = self.node.web.issuer.inspect(&credential)?;
        let new = NewCredential {
            credential: &credential,
            facts: &facts,
            origin: CredentialOrigin::Generated,
        };
        let made = EventKind::CertificateMade;
        let event = self.node.event(made, facts.sha256_fingerprint.as_str());
        self.node
            .store
            .credentials
            .save_active(&new, seal_with, &event)?;
        Ok((credential, facts))
    }

    fn publish_active(&self) -> Result<Provided, Error> {
        match self.active() {
            Active::Readable(credential, facts) => {
                self.publish_saved(&credential, facts, TlsSource::Database)
            }
            Active::Unusable(refused) => Err(refused.into()),
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

    fn reuse_or_generate(&self) -> Result<Provided, Error> {
        match self.active() {
            // One that is not valid yet says that the clock is wrong: each start would make another.
            Active::Readable(credential, facts)
                if !facts.has_ended_at(self.node.host.clock.now()) =>
            {
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

    fn publish_new(&self) -> Result<Provided, Error> {
        let (credential, facts) = self.generate(&self.node.settings.san)?;
        self.publish_saved(&credential, facts, TlsSource::Generated)
    }

    fn temporary(&self) -> Result<Provided, Error> {
        let credential = self
            .node
            .web
            .issuer
            .issue(&self.node.settings.san, self.node.host.clock.now())?;
        let facts = self.node.web.issuer.inspect(&credential)?;
        self.node
            .web
            .tls
            .publish(&credential, TlsSource::Temporary)?;
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
            warnings: validity_warning(self.node, &set.facts)
                .into_iter()
                .collect(),
            source: set.source,
            facts: set.facts,
            changed: false,
            detail: "the set that Nginx has is kept".into(),
        }
    }

    /// A temporary set that still stands from an earlier start of this wait.
    fn is_reusable_temporary(&self, set: &TlsSet) -> bool {
        set.source == Some(TlsSource::Temporary)
            && !set.facts.has_ended_at(self.node.host.clock.now())
    }
}

fn validity_warning(node: &Node, facts: &CertificateFacts) -> Option<String> {
    let problem = problem(facts, node.host.clock.now())?;
    let remedy = remedy(node, facts);
    Some(format!("the TLS server certificate {problem}: {remedy}"))
}

/// What Nginx has now, for a report that changes nothing, and what is wrong with its validity.
pub fn standing(node: &Node) -> Result<(Option<TlsReport>, Option<String>), Error> {
    Ok(match node.web.tls.view()? {
        TlsView::Usable(set) => (
            Some(TlsReport::new(set.source, &set.facts)),
            validity_warning(node, &set.facts),
        ),
        TlsView::Absent | TlsView::Unusable(_) => (None, None),
    })
}
