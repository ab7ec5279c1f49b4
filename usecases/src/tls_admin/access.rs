//! The right to change the credential of a node, and what every change ends with.

use std::time::Duration;

use domain::{Observed, Outcome, SchemaState, Storage};
use ports::{ActiveCredential, CertificateFacts, Dek, TlsCredential, TlsSource};

use super::reload::reload;
use crate::error::Error;
use crate::lock::{self, Locks};
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::report::{Report, TlsReport, rfc3339};
use crate::startup::{self, Mode, Observation, TlsProvider};

/// The right to change the credential of a node, for as long as this lives.
pub(super) struct Access {
    _locks: Locks,
    observation: Observation,
}

impl Access {
    /// Takes the lock and looks at the node as a start does.
    pub(super) fn take(node: &Node, lock_wait: Duration) -> Result<Self, Error> {
        let locks = lock::acquire_installed(node, lock_wait)?;
        // A PIN is used only where the DEK is not cached.
        let observation = startup::observe(node, Mode::DryRun, false)?;
        ensure_saveable(node, &observation)?;
        Ok(Self {
            _locks: locks,
            observation,
        })
    }

    pub(super) fn dek(&self) -> Option<&Dek> {
        self.observation.dek.as_ref().map(|dek| &dek.dek)
    }

    pub(super) fn work<'a>(&'a self, node: &'a Node) -> TlsProvider<'a> {
        self.observation.tls_provider(node)
    }

    /// The active credential, as the database has it.
    pub(super) fn stored(&self) -> &ActiveCredential {
        let record = self.observation.record.as_ref();
        record.map_or(&ActiveCredential::None, |record| &record.active_credential)
    }

    /// What a new credential is sealed under.
    pub(super) fn seal_with(&self) -> Option<&Dek> {
        let sealed = self.observation.observed.is_hsm_storage();
        self.dek().filter(|_| sealed)
    }
}

/// A credential can be saved where the database is this program's and its DEK within reach.
pub(super) fn ensure_saveable(node: &Node, observation: &Observation) -> Result<(), Refused> {
    let database = node.settings.database_path.clone();
    let installed = match &observation.observed {
        Observed::NoDatabase { .. } => return Err(Refused::NoDatabase { database }),
        Observed::Newer(_) => return Err(Refused::NewerSchema { database }),
        Observed::Installed(installed) => installed,
    };
    if installed.database.schema != SchemaState::Current {
        return Err(Refused::OlderSchema { database });
    }
    match installed.storage {
        Storage::Software => Ok(()),
        Storage::SoftHsm(_) | Storage::PhysicalHsm(_) if observation.dek.is_some() => Ok(()),
        Storage::SoftHsm(_) | Storage::PhysicalHsm(_) => Err(Refused::DekOutOfReach),
        Storage::RefusedHsm { .. } => Err(Refused::PhysicalHsm {
            is_set_up: observation.observed.is_wizard_completed(),
        }),
        Storage::NotConfigured { .. } => Err(Refused::NoStorage { database }),
    }
}

/// Gives Nginx the credential that was saved just now, and has it reloaded.
pub(super) fn publish(
    recorder: &mut Recorder<'_>,
    work: &TlsProvider<'_>,
    credential: &TlsCredential,
    facts: CertificateFacts,
    source: TlsSource,
) -> Result<(), Error> {
    let provided = work.publish_saved(credential, facts, source)?;
    recorder.note("provide_tls", provided.changed, &provided.detail);
    recorder.report.warnings.extend(provided.warnings);
    recorder.report.tls = Some(TlsReport::new(provided.source, &provided.facts));
    reload(recorder);
    Ok(())
}

/// Refuses a certificate that is not valid now; `what` is like "the certificate".
pub(super) fn ensure_valid_now(
    node: &Node,
    what: &str,
    facts: &CertificateFacts,
    force: bool,
) -> Result<(), Refused> {
    let now = node.host.clock.now();
    if force || facts.is_valid_at(now) {
        return Ok(());
    }
    let how = if now < facts.not_before {
        format!("is not valid before {}", rfc3339(facts.not_before))
    } else {
        format!("expired at {}", rfc3339(facts.not_after))
    };
    Err(Refused::NotValidNow {
        what: what.to_owned(),
        how,
    })
}

/// A node that was set up is ready with its credential; any other stays in its setup.
pub(super) fn end(report: &mut Report, access: &Access) {
    let outcome = if access.observation.observed.is_wizard_completed() {
        Outcome::Ready
    } else {
        Outcome::SetupRequired
    };
    report.outcome = Some(outcome);
}
