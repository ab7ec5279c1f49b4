//! Warnings that every start repeats until they are dealt with.

use domain::{Observed, SetupWizardState, Version};
use ports::NodeSeen;

use super::open_token::Observation;
use crate::backup_password::NONE_IS_SET;
use crate::node::Node;
use crate::report::rfc3339;

/// All of them.
pub(super) fn standing(node: &Node, observation: &Observation) -> Vec<String> {
    let observed = &observation.observed;
    let mut warnings = Vec::new();
    warnings.extend(stray_state(observed, observation.stray.as_deref()));
    if observed.is_software_storage() && observed.is_wizard_completed() {
        warnings.push(
            "software storage: private keys stand in the database in the clear; guard it and its \
             backups"
                .to_owned(),
        );
    }
    warnings.extend(older_nodes(node, observation));
    if observed.is_hsm_storage() {
        warnings.extend(dek_warnings(node, observation));
    }
    warnings
}

/// The nodes of a shared database that a roll-out of this version has not come to.
fn older_nodes(node: &Node, observation: &Observation) -> Option<String> {
    let program = &node.settings.app_version;
    let is_older = |version: &str| {
        let version = version.parse::<Version>();
        version.is_ok_and(|version| program.precedence(&version).is_gt())
    };
    let older: Vec<String> = observation
        .record
        .iter()
        .flat_map(|record| &record.nodes)
        .filter(|other| other.node != node.settings.node_id && is_older(&other.version))
        .map(|other| {
            let NodeSeen { node, version, at } = other;
            format!("{node} (version {version}, last seen {})", rfc3339(*at))
        })
        .collect();
    (!older.is_empty()).then(|| {
        format!(
            "these nodes were last seen with an older version, and cannot start with it again: {}",
            older.join(", ")
        )
    })
}

/// The mark in the database wins (C9), and whoever put the file there should know.
fn stray_state(observed: &Observed, stray: Option<&str>) -> Option<String> {
    let raw = observed.wizard_file();
    let agrees = raw.is_some_and(SetupWizardState::counts_as_completed);
    if agrees || !observed.is_wizard_completed() {
        return None;
    }
    let said = match raw {
        None | Some(SetupWizardState::SetupCryptoStorage) if stray.is_none() => {
            "as in a new container; the state is repaired".to_owned()
        }
        _ => "which no start has put there: see who did; the state is repaired, and setup \
                    begins again by `trustpointctl setup --reset` alone"
            .to_owned(),
    };
    Some(format!(
        "the database remembers that setup was completed, and the wizard state is {}, {said}",
        stray.unwrap_or(raw.map_or("empty", SetupWizardState::name))
    ))
}

/// What is to be said of the ways to the DEK.
fn dek_warnings(node: &Node, observation: &Observation) -> Vec<String> {
    let mut warnings = Vec::new();
    let sealing = observation.observed.sealing();
    let (Some(sealing), Some(record)) = (sealing, &observation.record) else {
        return warnings;
    };
    let way_back = || crate::dek_ways::way_back(node, record, sealing);
    let completed = observation.observed.is_wizard_completed();
    let is_unset = record.sealing.backup.is_none();
    if completed && observation.dek.is_none() && !sealing.has_backup_password {
        let why = if is_unset {
            "no backup password was ever set"
        } else {
            "what the backup password should open is damaged"
        };
        warnings.push(format!(
            "the DEK is out of reach and {why}: no password can help. What can: {}",
            way_back()
        ));
    } else if completed && is_unset {
        warnings.push(NONE_IS_SET.to_owned());
    }
    if sealing.is_in_cache_alone() {
        warnings.push(format!(
            "the KEK is not on the token: the DEK is left in the cache alone, and gone with the \
             next restart of the container: {}",
            way_back()
        ));
    }
    warnings
}
