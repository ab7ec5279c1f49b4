//! What would make a start fail half way, looked for before its first change.

use domain::{Plan, SchemaState, Step, TlsGoal};
use ports::{CachedDek, Fault};

use super::open_token::{Mode, Observation};
use super::tls::{Active, TlsWork};
use crate::node::Node;

/// Checks what can be checked without a change: a credential that cannot be used, catalogues and
/// static files that cannot be read, places that cannot be written where a write is due.
///
/// # Errors
/// What the start would have failed with.
pub(super) fn check_ahead(
    node: &Node,
    observation: &Observation,
    plan: &Plan,
    mode: Mode,
) -> Result<(), Fault> {
    let work = TlsWork {
        node,
        dek: observation.dek.as_ref().map(|dek| &dek.dek),
        sealed: observation.observed.is_hsm_storage(),
    };
    let active = active(&work, observation, plan)?;
    // Whoever asks for the status is not about to write.
    if mode == Mode::Status {
        return Ok(());
    }
    node.static_files.check()?;
    node.messages.check()?;
    for step in &plan.steps {
        match step {
            Step::ProvideTls(goal) if work.is_write_due(*goal, active.as_ref())? => {
                node.tls.check_writable()?;
                if !matches!(active, Some(Active::Readable(..))) {
                    // Names that no certificate can have.
                    node.issuer.issue(&node.settings.san, node.clock.now())?;
                }
            }
            Step::SetWizard(state) if observation.observed.wizard_file() != Some(*state) => {
                node.wizard.check_writable()?;
            }
            Step::CacheDek if !is_cached(node, observation)? => node.dek_cache.check_writable()?,
            Step::SnapshotDatabase => node.database.check_snapshot()?,
            Step::RecordStart => node.database.check_writable()?,
            _ => {}
        }
    }
    Ok(())
}

/// The active credential, where the plan needs it and it can be read before the migrations.
fn active(
    work: &TlsWork<'_>,
    observation: &Observation,
    plan: &Plan,
) -> Result<Option<Active>, Fault> {
    let needs = |goal| plan.steps.contains(&Step::ProvideTls(goal));
    let database = observation.observed.database();
    // A schema that is behind may not have what an active credential is read from.
    let readable = database.is_none_or(|database| database.schema == SchemaState::Current);
    if !readable || !(needs(TlsGoal::FromDatabase) || needs(TlsGoal::ReuseOrGenerate)) {
        return Ok(None);
    }
    match work.active()? {
        Active::Unusable(fault) if needs(TlsGoal::FromDatabase) => Err(fault),
        active => Ok(Some(active)),
    }
}

fn is_cached(node: &Node, observation: &Observation) -> Result<bool, Fault> {
    let Some(accessible) = &observation.dek else {
        return Ok(false);
    };
    Ok(match node.dek_cache.read()? {
        CachedDek::Present(cached) => cached.is_same(&accessible.dek),
        CachedDek::Absent | CachedDek::Unusable(_) => false,
    })
}
