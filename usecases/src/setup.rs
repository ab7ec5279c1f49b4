//! The setup wizard: from its first state to WIZARD_COMPLETED, each move one atomic step.
//!
//! A setup that dies goes on where it was: what stands already is used, never made twice.

mod credential;
mod keys;

use std::time::Duration;

use domain::{SchemaState, SetupWizardState, StorageType};
use ports::{ActiveCredential, Dek, EventKind, NodeRecord, Sealing, Secret};

use crate::backup_password::{self, NONE_IS_SET, check_password};
use crate::error::Error;
use crate::lock;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;

use crate::dek_ways;
use crate::startup::{self, Mode};
use crate::token::TokenAccess;
use crate::wrap::{self, Keys};
use crate::{record, session, storage};
use keys::SetUpKeys;

/// What the operator wants.
pub struct Request {
    /// Where the node keeps its secrets.
    pub storage: StorageType,
    /// The backup password; `None` where the operator goes without one.
    pub backup_password: Option<Secret>,
    /// Names and addresses in a new certificate; empty keeps the credential there is.
    pub san: Vec<String>,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Sets the node up.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: &Request) -> Result<(), Error> {
    set_up(recorder, request)?;
    startup::summarise(recorder);
    Ok(())
}

fn set_up(recorder: &mut Recorder<'_>, request: &Request) -> Result<(), Error> {
    let node = recorder.node;
    ensure_possible(node, request)?;
    let _lock = lock::acquire(node, request.lock_wait)?;
    let record = begin(node)?;
    ensure_node(node, request, record.as_ref())?;
    let access = match request.storage {
        hsm @ (StorageType::SoftHsm | StorageType::PhysicalHsm) => {
            let access = TokenAccess::look(node, hsm, record.as_ref())?;
            if let Some(record) = &record {
                let copy = match access.session() {
                    Some(session) => session::copy_for(node, session, &record.sealing)?,
                    None => record.sealing.only_copy(),
                };
                dek_ways::ensure_consistent(node, record, false, copy, None)?;
                keys::ensure_nothing_replaced(node, record, access.session())?;
            }
            Some(access)
        }
        StorageType::Software => None,
    };

    let migrated = node.store.record.migrate()?;
    let changed = migrated != ports::Migrated::Unchanged;
    let what = if changed {
        "the database was made, or brought to this version"
    } else {
        "the database is of this version"
    };
    recorder.note("migrate_database", changed, what);
    recorder.go_to(SetupWizardState::SetupCryptoStorage)?;
    node.store.record.set_storage(request.storage)?;
    recorder.note("configure_storage", true, request.storage.name());

    let dek = match access {
        Some(access) => {
            recorder.go_to(SetupWizardState::SetupHsm)?;
            Some(set_up_token(access, record.as_ref(), recorder)?)
        }
        None => None,
    };
    recorder.go_to(SetupWizardState::SetupMode)?;
    recorder.go_to(SetupWizardState::SelectTlsServerCredential)?;
    let stored = record.map_or(ActiveCredential::None, |record| record.active_credential);
    credential::choose(recorder, &stored, &request.san, dek.as_ref())?;
    if let Some(dek) = &dek {
        recorder.go_to(SetupWizardState::BackupPassword)?;
        recorder.set_backup_password(request, dek)?;
        let written = node.secrets.cache.write(dek)?;
        recorder.note("cache_dek", written, &node.secrets.cache.path());
    }
    recorder.complete()?;
    recorder.report.outcome = Some(domain::Outcome::Ready);
    Ok(())
}

/// Returns the node to the wizard's first state; deletes nothing.
///
/// # Errors
/// The lock, the database or the wizard state.
pub fn reset(recorder: &mut Recorder<'_>, lock_wait: Duration) -> Result<(), Error> {
    let node = recorder.node;
    let _lock = lock::acquire(node, lock_wait)?;
    if let Some(record) = record::find(node)? {
        ensure_schema(node, &record)?;
        let event = node.event(EventKind::SetupReset, "");
        let cleared = node.store.record.clear_setup_mark(&event)?;
        recorder.note(
            "clear_setup_mark",
            cleared,
            "the database no longer says \"set up\"",
        );
        recorder
            .report
            .warnings
            .extend(others_complete(node, &record));
    }
    recorder.go_to(SetupWizardState::SetupCryptoStorage)?;
    recorder.report.outcome = Some(domain::Outcome::SetupRequired);
    Ok(())
}

/// A node that has completed setup says so on its own disks, and its next start puts the mark back (C9).
fn others_complete(node: &Node, record: &NodeRecord) -> Option<String> {
    let others: Vec<&str> = record
        .nodes
        .iter()
        .map(|other| other.node.as_str())
        .filter(|name| *name != node.settings.node_id)
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "other nodes share this database ({}), and the next start of one that is set up completes \
             setup again for all: stop them, and run `trustpointctl setup --reset` on each before \
             it is started",
            others.join(", ")
        )
    })
}

fn set_up_token(
    access: TokenAccess,
    record: Option<&NodeRecord>,
    recorder: &mut Recorder<'_>,
) -> Result<Dek, Error> {
    let session = access.open(recorder)?;
    let sealing = record.map_or_else(Sealing::default, |record| record.sealing.clone());
    let SetUpKeys { kek, dek, is_new } = keys::keys(recorder, &*session, record)?;
    let keys = Keys {
        kek: &kek,
        dek: &dek,
    };
    if is_new {
        wrap::store_new_dek(recorder, &*session, keys, &sealing)?;
    } else {
        wrap::store(recorder, &*session, keys, &sealing, None)?;
    }
    Ok(dek)
}

/// Whether this node may have this storage, before anybody is asked for what it needs.
///
/// # Errors
/// A physical HSM, where nobody has opted in to one.
pub fn may_use(node: &Node, storage: StorageType) -> Result<(), Error> {
    if storage::is_refused(node, Some(storage)) {
        return Err(Refused::PhysicalHsm { is_set_up: false }.into());
    }
    Ok(())
}

fn ensure_possible(node: &Node, request: &Request) -> Result<(), Error> {
    may_use(node, request.storage)?;
    request
        .backup_password
        .as_ref()
        .map_or(Ok(()), check_password)
}

/// Whether a certificate can be made for these names and addresses.
///
/// # Errors
/// Which of them it cannot have.
pub fn check_names(node: &Node, names: &[String]) -> Result<(), Error> {
    node.web.issuer.issue(names, node.host.clock.now())?;
    Ok(())
}

/// What the database says; the evidence of a missing one is looked for as a start does (C14).
fn begin(node: &Node) -> Result<Option<NodeRecord>, Error> {
    match record::find(node)? {
        Some(record) => Ok(Some(record)),
        None => {
            startup::observe(node, Mode::CarryOut, false)?;
            Ok(None)
        }
    }
}

/// Whether this node may be set up, before anybody is asked for anything.
///
/// # Errors
/// Why not.
pub fn may_set_up(node: &Node) -> Result<(), Error> {
    let record = begin(node)?;
    ensure_not_set_up(node, record.as_ref())
}

fn ensure_node(node: &Node, request: &Request, record: Option<&NodeRecord>) -> Result<(), Error> {
    ensure_not_set_up(node, record)?;
    let Some(record) = record else { return Ok(()) };
    if record.sealing.has_dek() && request.storage == StorageType::Software {
        let database = node.settings.database_path.clone();
        return Err(Refused::SealedSecrets { database }.into());
    }
    Ok(())
}

fn ensure_not_set_up(node: &Node, record: Option<&NodeRecord>) -> Result<(), Error> {
    let raw = node.host.wizard.read()?.state();
    let Some(record) = record else { return Ok(()) };
    ensure_schema(node, record)?;
    if dek_ways::is_completed(record, raw) {
        let state = raw.map_or("empty, and the database says so", SetupWizardState::name);
        let is_waiting = raw.is_some_and(SetupWizardState::is_auto_restore);
        return Err(Refused::SetUpAlready {
            state,
            is_waiting,
            is_new: raw.is_none(),
        }
        .into());
    }
    Ok(())
}

/// Setup and the like work on a database of this very program; upgrades are a start's work.
pub fn ensure_schema(node: &Node, record: &NodeRecord) -> Result<(), Error> {
    ensure_not_newer(node, record)?;
    let database = node.settings.database_path.clone();
    match record.schema {
        SchemaState::Current => Ok(()),
        SchemaState::Behind if record.version.is_none() => Ok(()),
        SchemaState::Behind => Err(Refused::OlderSchema { database }.into()),
        SchemaState::Newer | SchemaState::Diverged => Err(Refused::NewerSchema { database }.into()),
    }
}

/// By its version record the database may be newer although its schema is known.
fn ensure_not_newer(node: &Node, record: &NodeRecord) -> Result<(), Error> {
    let Some(recorded) = startup::recorded_version(node, record)? else {
        return Ok(());
    };
    let current = &node.settings.app_version;
    if recorded.precedence(current).is_le() {
        return Ok(());
    }
    Err(Refused::NewerRecord {
        database: node.settings.database_path.clone(),
        recorded: recorded.to_string(),
        program: current.to_string(),
    }
    .into())
}

impl Recorder<'_> {
    fn set_backup_password(&mut self, request: &Request, dek: &Dek) -> Result<(), Error> {
        let Some(password) = &request.backup_password else {
            if record::read(self.node)?.sealing.backup.is_some() {
                self.note("set_backup_password", false, "the one of before is kept");
                return Ok(());
            }
            self.report.warnings.push(NONE_IS_SET.into());
            self.note("set_backup_password", false, "none, as asked for");
            return Ok(());
        };
        backup_password::store(self.node, dek, password)?;
        self.note(
            "set_backup_password",
            true,
            "the DEK is wrapped by the backup password too",
        );
        Ok(())
    }
}
