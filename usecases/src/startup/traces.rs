//! Traces of an installed node beside a missing database (C14).

use std::time::Duration;

use domain::{SetupWizardState, Trace};
use ports::{FaultKind, Found};

use crate::error::Error;
use crate::node::Node;
use crate::record;
use crate::refused::Refused;
use crate::session;

/// Refuses a new database beside traces, unless the operator asked for one: then a warning says so.
///
/// # Errors
/// [`FaultKind::DataCorrupt`] with the evidence.
pub(super) fn ensure_none(
    node: &Node,
    traces: &[Trace],
    accept_new: bool,
) -> Result<Option<String>, Error> {
    if traces.is_empty() {
        return Ok(None);
    }
    let evidence: Vec<String> = traces.iter().map(Trace::to_string).collect();
    let evidence = evidence.join("; ");
    if accept_new {
        return Ok(Some(format!("a new database is made although {evidence}")));
    }
    Err(Refused::LostDatabase {
        database: node.settings.database_path.clone(),
        is_empty: record::is_empty_file(node)?,
        evidence,
    }
    .into())
}

/// Looks for them: in the state directory, among the snapshots, on the token.
///
/// # Errors
/// What cannot be read, and a token that cannot be told.
pub(super) fn find(
    node: &Node,
    wizard: Option<SetupWizardState>,
    wait: Duration,
    warnings: &mut Vec<String>,
) -> Result<Vec<Trace>, Error> {
    let mut traces = Vec::new();
    if let Some(state) = wizard.filter(|state| state.counts_as_completed()) {
        traces.push(Trace::Wizard {
            state,
            directory: node.host.wizard.directory(),
        });
    }
    let snapshots = node.store.backups.snapshots()?;
    if let Some(newest) = snapshots.first() {
        traces.push(Trace::Snapshots {
            count: snapshots.len(),
            newest: newest.path.clone(),
        });
    }
    if node.settings.hsm_expected {
        match marked_token(node, wait) {
            Ok(marked) => traces.extend(marked),
            // Two tokens of one label, or a marker that is damaged: there is something, and which
            // is not for this program to guess.
            Err(fault) if matches!(fault.kind(), FaultKind::Config | FaultKind::DataCorrupt) => {
                return Err(fault);
            }
            // A fresh node may well come up before its HSM: no trace is proven, so it goes on.
            Err(fault) => warnings.push(format!(
                "the token could not be asked whether a node was installed on it: {fault}"
            )),
        }
    }
    Ok(traces)
}

/// Where somebody configured an HSM, it is waited for: a node whose volumes are missing must not
/// slip through because its HSM comes up a moment later.
fn marked_token(node: &Node, wait: Duration) -> Result<Option<Trace>, Error> {
    Ok(match session::look_for(node, wait, None)?.found {
        Found::Present(token) => {
            let info = token.info();
            let marked = |installation| Trace::TokenMarker {
                label: info.label.clone(),
                serial: info.serial.clone(),
                installation,
            };
            info.marker.clone().map(marked)
        }
        Found::Absent { .. } => None,
    })
}
