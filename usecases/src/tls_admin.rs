//! The TLS server credential in the operator's hands: shown, renewed, imported, changed back.
//!
//! Every change is saved and activated in one transaction, reaches Nginx as one set, and is taken
//! up by a reload. What was active before stays in the database.

mod activate;
mod import;
mod renew;
mod show;

use std::time::Duration;

use domain::{Outcome, SchemaState, StartupScenario, StorageType, select_startup};
use ports::{
    CertificateFacts, Dek, Fault, FaultKind, Reload, StartLockGuard, TlsCredential, TlsSource,
};

pub use activate::{Activate, run as activate};
pub use import::{Import, run as import};
pub use renew::{Renew, run as renew};
pub use show::{history, show};

use crate::node::Node;
use crate::report::{Report, StepReport, TlsReport, rfc3339};
use crate::startup::{self, Depth, Observation, TlsWork};
use crate::steps::Steps;
use crate::token;

/// The right to change the credential of a node, for as long as this lives.
struct Access {
    _lock: Box<dyn StartLockGuard>,
    observation: Observation,
}

impl Access {
    /// Takes the lock and looks at the node as a start does.
    fn take(node: &Node, lock_wait: Duration) -> Result<Self, Fault> {
        let lock = token::lock_installed(node, lock_wait)?;
        // A PIN is used only where the DEK is not cached.
        let observation = startup::observe(node, Depth::DryRun, false)?;
        refuse(node, &observation)?;
        Ok(Self {
            _lock: lock,
            observation,
        })
    }

    fn dek(&self) -> Option<&Dek> {
        self.observation.dek.as_ref().map(|dek| &dek.dek)
    }

    fn work<'a>(&'a self, node: &'a Node) -> TlsWork<'a> {
        TlsWork {
            node,
            dek: self.dek(),
            sealed: self.observation.context.is_hsm_storage(),
        }
    }

    /// What a new credential is sealed under.
    fn seal_with(&self) -> Option<&Dek> {
        let sealed = self.observation.context.is_hsm_storage();
        self.dek().filter(|_| sealed)
    }
}

/// A credential can be saved where the database is this program's and its DEK within reach.
fn refuse(node: &Node, observation: &Observation) -> Result<(), Fault> {
    let context = &observation.context;
    let path = &node.settings.database_path;
    let config = |message: String, hint: &str| Err(Fault::new(FaultKind::Config, message, hint));
    if !context.db_initialized {
        return config(
            format!("there is no database {path} yet"),
            "run `trustpointctl startup` first, or restore a backup",
        );
    }
    if select_startup(context) == StartupScenario::VersionDowngrade {
        return Err(Fault::new(
            FaultKind::VersionDowngrade,
            format!("the database {path} is newer than this program"),
            "run the newer program again",
        ));
    }
    if context.schema != SchemaState::Current {
        return config(
            format!("the database {path} is of an older version"),
            "run `trustpointctl startup` first: it makes a snapshot and migrates",
        );
    }
    match context.storage_type {
        Some(StorageType::Software) => Ok(()),
        Some(StorageType::SoftHsm) if observation.dek.is_some() => Ok(()),
        Some(StorageType::SoftHsm) => config(
            "the DEK is out of reach, so a private key can be neither sealed nor opened".to_owned(),
            "run `trustpointctl startup`: it says whether `recover` is needed",
        ),
        Some(StorageType::PhysicalHsm) => Err(Fault::new(
            FaultKind::StorageUnsupported,
            domain::Refusal::PhysicalHsm.to_string(),
            "restore a backup of a node with SOFTWARE or SOFTHSM storage; nothing was changed",
        )),
        None => config(
            format!("Unexpected storage configuration: {path} names no storage"),
            "restore a backup or snapshot of the database",
        ),
    }
}

/// Gives Nginx the credential that was saved just now, and has it reloaded.
fn publish(
    steps: &mut Steps<'_>,
    work: &TlsWork<'_>,
    credential: &TlsCredential,
    facts: CertificateFacts,
    source: TlsSource,
) -> Result<(), Fault> {
    let provided = work.publish_saved(credential, facts, source)?;
    steps.note("provide_tls", provided.changed, &provided.detail);
    steps.report.warnings.extend(provided.warnings);
    steps.report.tls = Some(TlsReport::new(provided.source, &provided.facts));
    reload(steps);
    Ok(())
}

/// Has the web server take up the set. The set is in place whatever becomes of this: a web server
/// that does not run yet reads it when it starts.
pub fn reload(steps: &mut Steps<'_>) {
    match steps.node.web_server.reload() {
        Ok(Reload::Done) => steps.note("reload_web_server", true, "the reload command worked"),
        Ok(Reload::NotConfigured) => steps.skip(
            "reload_web_server",
            "no nginx.reload is configured: where nginx runs, reload it by hand",
        ),
        Err(fault) => {
            let causes = fault.causes();
            let why = [vec![fault.to_string()], causes].concat().join(": ");
            steps.report.warnings.push(format!(
                "the new TLS set is in place, but nginx may still serve the old one: {why}. {}",
                fault.hint()
            ));
            steps.skip("reload_web_server", &why);
        }
    }
}

/// Refuses a validity that does not hold now; `what` is like "the certificate".
fn refuse_validity(
    node: &Node,
    what: &str,
    facts: &CertificateFacts,
    force: bool,
) -> Result<(), Fault> {
    let now = node.clock.now();
    if force || facts.is_valid_at(now) {
        return Ok(());
    }
    let how = if now < facts.not_before {
        format!("is not valid before {}", rfc3339(facts.not_before))
    } else {
        format!("expired at {}", rfc3339(facts.not_after))
    };
    Err(Fault::new(
        FaultKind::DataCorrupt,
        format!("{what} {how}"),
        "bring one that is valid now and check this machine's clock; --force takes it all the same",
    ))
}

fn steps<'a>(
    node: &'a Node,
    report: &'a mut Report,
    on_step: &'a mut dyn FnMut(&StepReport),
) -> Steps<'a> {
    Steps {
        node,
        report,
        on_step,
    }
}

/// A node that was set up is ready with its credential; any other stays in its setup.
fn end(report: &mut Report, access: &Access) {
    let outcome = if access.observation.context.is_wizard_completed() {
        Outcome::Ready
    } else {
        Outcome::SetupRequired
    };
    report.outcome = Some(outcome);
}
