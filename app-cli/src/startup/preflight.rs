//! What would make a start fail half way, looked for before its first change.

use domain::{Plan, Step, TlsGoal};
use ports::Fault;

use super::observe::Observation;
use super::tls::{Active, TlsWork};
use crate::node::Node;

/// Checks what can be checked without a change: a credential that cannot be used, catalogues and
/// static files that cannot be read, directories that cannot be written where a write is due.
///
/// # Errors
/// What the start would have failed with.
pub fn check(node: &Node, observation: &Observation, plan: &Plan) -> Result<(), Fault> {
    if plan
        .steps
        .contains(&Step::ProvideTls(TlsGoal::FromDatabase))
    {
        let work = TlsWork {
            node,
            dek: observation.dek.as_ref().map(|dek| &dek.dek),
            sealed: observation.context.is_hsm_storage(),
        };
        // A schema that is behind may not have what an active credential is read from.
        let readable = observation.context.schema == domain::SchemaState::Current;
        if readable && let Active::Unusable(fault) = work.active()? {
            return Err(fault);
        }
    }
    Ok(())
}
