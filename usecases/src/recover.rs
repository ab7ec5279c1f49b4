//! Recovery: the backup password brings the DEK back onto a token that has lost its KEK.
//!
//! Each step may be the last before the power goes; running it again finishes the work.

use std::time::Duration;

use domain::{KekId, Outcome, SetupWizardState, StorageType};
use ports::{Dek, EventKind, NodeRecord, Sealing, Secret, TlsSource, TokenSession};

use crate::backup_password::unwrap_with_password;
use crate::copies;
use crate::credential::Active;
use crate::dek_ways;
use crate::error::Error;
use crate::lock;
use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::report::TlsReport;
use crate::session::{self, Unwrapped};
use crate::setup::ensure_schema;
use crate::startup::{self, TlsProvider};
use crate::storage;
use crate::tls_admin::reload;
use crate::token::TokenAccess;
use crate::wrap::{self, Keys};

/// What the operator wants.
pub struct Request {
    /// The backup password.
    pub password: Secret,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Recovers the node.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: &Request) -> Result<(), Error> {
    recover(recorder, request)?;
    startup::summarise(recorder);
    Ok(())
}

fn recover(recorder: &mut Recorder<'_>, request: &Request) -> Result<(), Error> {
    let node = recorder.node;
    let _lock = lock::acquire_installed(node, request.lock_wait)?;
    let record = record::read(node)?;
    let lost = Recoverable::of(node, &record)?;
    let sealing = &record.sealing;
    let access = match waiting(node, &record)? {
        Waiting::Yes => None,
        Waiting::No(state) => Some(open_broken(node, lost, state)?),
        Waiting::NotSetUp(state) => Some(open_unfinished(node, lost, state)?),
    };
    // Before anything is changed; on a node that waits, before the token is asked for anything.
    let dek = unwrap_with_password(node, sealing, &request.password)?;
    let work = TlsProvider {
        node,
        dek: Some(&dek),
        sealed: true,
        stored: &record.active_credential,
    };
    let credential = match work.active() {
        Active::Readable(credential, facts) => Some((credential, facts)),
        Active::Unusable(refused) => return Err(refused.into()),
        Active::Missing => None,
    };
    let access = match access {
        Some(access) => access,
        None => lost.look(node)?,
    };

    recorder.note("unwrap_dek", false, "the backup password unwraps the DEK");
    let session = access.open(recorder)?;
    let serial = &session.info().serial;
    let own = sealing.copy_of(serial);
    let has_copy = own.is_some_and(|copy| copy.wrapped.is_some());
    let kek = wrap_dek(recorder, &*session, sealing, has_copy, &dek)?;
    let written = node.secrets.cache.write(&dek)?;
    recorder.note("cache_dek", written, &node.secrets.cache.path());
    let provided = match credential {
        Some((credential, facts)) => work.publish_saved(&credential, facts, TlsSource::Database)?,
        None => work.provide(domain::TlsGoal::FromDatabase)?,
    };
    recorder.note("provide_tls", provided.changed, &provided.detail);
    recorder.report.warnings.extend(provided.warnings);
    recorder.report.tls = Some(TlsReport::new(provided.source, &provided.facts));
    reload(recorder);
    recorder.complete()?;
    if kek.is_new {
        let gone = "keys that lived on the old token alone are gone; what was sealed under the DEK \
                    is readable again";
        // One that is new to a shared database had none.
        let warning = match node.store.is_shared() {
            true => format!("where this node had another token before, {gone}"),
            false => gone.to_owned(),
        };
        recorder.report.warnings.push(warning);
    }
    copies::tell_of_others(recorder, sealing, serial);
    recorder.report.outcome = Some(Outcome::Ready);
    Ok(())
}

/// Whether this node can be recovered, before anybody is asked for the password.
///
/// # Errors
/// Why not.
pub fn may_recover(node: &Node) -> Result<(), Error> {
    let record = record::read(node)?;
    let lost = Recoverable::of(node, &record)?;
    match waiting(node, &record)? {
        // Whether its wrapped DEK is broken, or its KEK lost, is seen under the lock.
        Waiting::Yes | Waiting::No(_) => Ok(()),
        Waiting::NotSetUp(_) if lost.hsm == StorageType::PhysicalHsm => Ok(()),
        Waiting::NotSetUp(state) => Err(not_waiting(state)),
    }
}

/// Whether the wizard waits for the backup password.
enum Waiting {
    Yes,
    /// It is completed, and what the directory says.
    No(Option<SetupWizardState>),
    NotSetUp(Option<SetupWizardState>),
}

fn waiting(node: &Node, record: &NodeRecord) -> Result<Waiting, Error> {
    let state = node.host.wizard.read()?.state();
    let is_waiting = state.is_some_and(SetupWizardState::is_auto_restore);
    Ok(if is_waiting {
        Waiting::Yes
    } else if dek_ways::is_completed(record, state) {
        Waiting::No(state)
    } else {
        Waiting::NotSetUp(state)
    })
}

fn not_waiting(state: Option<SetupWizardState>) -> Error {
    let state = state.map_or("empty", SetupWizardState::name);
    Refused::NotWaiting { state }.into()
}

/// A completed node whose KEK is there and whose wrapped DEK does not open, or names another KEK
/// than the database: no start gets it to wait for the password, since what is there is damaged and
/// no key lost. The password has the DEK all the same.
fn open_broken(
    node: &Node,
    lost: Recoverable<'_>,
    state: Option<SetupWizardState>,
) -> Result<TokenAccess, Error> {
    let Recoverable { record, .. } = lost;
    let access = lost.look(node)?;
    let sealing = &record.sealing;
    let copy = match access.session() {
        Some(session) => session::copy_for(node, session, sealing)?,
        None => sealing.only_copy(),
    };
    let contradiction = dek_ways::contradiction(node, record, true, copy, None);
    if contradiction.is_some_and(|found| found.is_about_the_kek()) {
        return Ok(access);
    }
    let (Some(session), Some(copy)) = (access.session(), copy) else {
        return Err(not_waiting(state));
    };
    match session::unwrap(session, copy)? {
        Unwrapped::NoKek | Unwrapped::NothingWrapped => Err(not_waiting(state)),
        Unwrapped::Dek(dek) if dek_ways::is_dek_of(node, sealing, &dek) => Err(not_waiting(state)),
        Unwrapped::Dek(_) | Unwrapped::Damaged(_) => Ok(access),
    }
}

/// A physical HSM that has lost the KEK of a node whose setup was begun again. With SoftHSM a start
/// makes such a node wait for the password, whatever the wizard says; here it stays in setup, which
/// refuses to make a new DEK in place of one that the password opens.
fn open_unfinished(
    node: &Node,
    lost: Recoverable<'_>,
    state: Option<SetupWizardState>,
) -> Result<TokenAccess, Error> {
    if lost.hsm != StorageType::PhysicalHsm {
        return Err(not_waiting(state));
    }
    let access = lost.look(node)?;
    let Some(session) = access.session() else {
        return Err(not_waiting(state));
    };
    let Some(copy) = session::copy_for(node, session, &lost.record.sealing)? else {
        return Ok(access);
    };
    match session::unwrap(session, copy)? {
        Unwrapped::NoKek => Ok(access),
        Unwrapped::NothingWrapped | Unwrapped::Damaged(_) | Unwrapped::Dek(_) => {
            Err(not_waiting(state))
        }
    }
}

/// A node with an HSM and a backup password.
#[derive(Clone, Copy)]
struct Recoverable<'a> {
    record: &'a NodeRecord,
    /// Its storage, which is an HSM.
    hsm: StorageType,
}

impl<'a> Recoverable<'a> {
    fn of(node: &Node, record: &'a NodeRecord) -> Result<Self, Error> {
        ensure_schema(node, record)?;
        storage::ensure_served(node, record)?;
        let Some(hsm) = record.storage.filter(|storage| storage.is_hsm()) else {
            let storage = record.storage.map_or("none", StorageType::name);
            return Err(Refused::NothingWrapped { storage }.into());
        };
        if !record.sealing.is_sealed() {
            dek_ways::ensure_consistent(node, record, true, None, None)?;
        }
        if record.sealing.backup.is_some() {
            return Ok(Self { record, hsm });
        }
        Err(Refused::NoPassword {
            database: node.settings.database_path.clone(),
            way_back: dek_ways::way_back_without_kek(node, record),
        }
        .into())
    }

    fn look(&self, node: &Node) -> Result<TokenAccess, Error> {
        TokenAccess::look(node, self.hsm, Some(self.record))
    }
}

/// The KEK that a recovery wraps the DEK with.
struct RecoveryKek {
    id: KekId,
    /// Whether it was made now, since the one from before is not on the token.
    is_new: bool,
    /// Whether it wraps this very DEK already.
    is_wrapped: bool,
}

/// Has our KEK on the token wrap the DEK, where its copy is not just that already.
fn wrap_dek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    sealing: &Sealing,
    has_copy: bool,
    dek: &Dek,
) -> Result<RecoveryKek, Error> {
    let node = recorder.node;
    let kek = kek(recorder, session, sealing, dek)?;
    let RecoveryKek { id, is_wrapped, .. } = &kek;
    let done = EventKind::Recovered;
    if !(*is_wrapped && has_copy) {
        let keys = Keys { kek: id, dek };
        wrap::store(recorder, session, keys, sealing, Some(done))?;
        return Ok(kek);
    }
    let event = node.event(done, wrap::wrapped_by(id, session.info()));
    node.store.history.note(&event)?;
    let detail = format!("the KEK {id} wraps the DEK already");
    recorder.note("wrap_dek", false, &detail);
    Ok(kek)
}

/// Our KEK where the token has it (the old token came back, or an earlier try came this far), a new
/// one otherwise. Keys of others are left alone.
fn kek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    sealing: &Sealing,
    dek: &Dek,
) -> Result<RecoveryKek, Error> {
    let copy = session::copy_for(recorder.node, session, sealing)?;
    let unwrapped = copy
        .map(|copy| session::unwrap(session, copy))
        .transpose()?;
    let wrapped = match (copy.and_then(|copy| copy.kek.as_ref()), unwrapped) {
        (None, _) | (_, None | Some(Unwrapped::NoKek)) => None,
        (Some(kek), Some(Unwrapped::Dek(unwrapped))) => Some((kek, unwrapped.is_same(dek))),
        // The password has the DEK: a broken blob is made anew.
        (Some(kek), Some(Unwrapped::NothingWrapped | Unwrapped::Damaged(_))) => Some((kek, false)),
    };
    if let Some((kek, is_wrapped)) = wrapped {
        let found = format!("the KEK {kek} is on the token");
        recorder.note("generate_kek", false, &found);
        return Ok(RecoveryKek {
            id: kek.clone(),
            is_new: false,
            is_wrapped,
        });
    }
    Ok(RecoveryKek {
        id: wrap::new_kek(recorder, session, sealing)?,
        is_new: true,
        is_wrapped: false,
    })
}
