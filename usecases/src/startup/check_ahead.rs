//! What would make a start fail half way, looked for before its first change.

use domain::{Plan, Step, TlsGoal};
use ports::CachedDek;

use super::open_token::{Mode, Observation};
use super::tls::TlsProvider;
use crate::credential::Active;
use crate::error::Error;
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
) -> Result<(), Error> {
    let work = observation.tls_provider(node);
    let active = active(&work, plan)?;
    // Whoever asks for the status is not about to write.
    if mode == Mode::Status {
        return Ok(());
    }
    node.web.static_files.check()?;
    node.web.messages.check()?;
    for step in &plan.steps {
        match step {
            Step::ProvideTls(goal) if work.is_write_due(*goal, active.as_ref())? => {
                node.web.tls.check_writable()?;
                if !matches!(active, Some(Active::Readable(..))) {
                    // Made and thrown away: names that no certificate can have are found out here.
                    node.web
                        .issuer
                        .issue(&node.settings.san, node.host.clock.now())?;
                }
            }
            Step::SetWizard(state) if observation.observed.wizard_file() != Some(*state) => {
                node.host.wizard.check_writable()?;
            }
            Step::CacheDek if !is_cached(node, observation)? => {
                node.secrets.cache.check_writable()?
            }
            Step::SnapshotDatabase => node.store.backups.check_snapshot()?,
            Step::RecordStart => node.store.record.check_writable()?,
            _ => {}
        }
    }
    Ok(())
}

/// The active credential, where the plan needs it.
fn active(work: &TlsProvider<'_>, plan: &Plan) -> Result<Option<Active>, Error> {
    let needs = |goal| plan.steps.contains(&Step::ProvideTls(goal));
    if !(needs(TlsGoal::FromDatabase) || needs(TlsGoal::ReuseOrGenerate)) {
        return Ok(None);
    }
    match work.active() {
        Active::Unusable(refused) if needs(TlsGoal::FromDatabase) => Err(refused.into()),
        active => Ok(Some(active)),
    }
}

fn is_cached(node: &Node, observation: &Observation) -> Result<bool, Error> {
    let Some(accessible) = &observation.dek else {
        return Ok(false);
    };
    Ok(match node.secrets.cache.read()? {
        CachedDek::Present(cached) => cached.is_same(&accessible.dek),
        CachedDek::Absent | CachedDek::Unusable(_) => false,
    })
}
