//! What the selection and the plans answer, for every state that a node can be in: the matrix and
//! the picture of the scenarios both show it.

use std::collections::BTreeMap;

use domain::{
    DekWays, Observed, Outcome, Plan, Refusal, RestoreScenario, Selection, StartupScenario,
    Storage, WizardState, select,
};

use super::space::{Case, program};
use crate::run::Result;

/// A row of the second table: what is asked, in the order in which it is asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Facts {
    pub storage: &'static str,
    pub wizard: &'static str,
    /// Empty where there is no DEK.
    pub dek: &'static str,
}

/// What a start with these facts comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The scenario; why there is none where the storage is missing.
    pub scenario: std::result::Result<RestoreScenario, Refusal>,
    pub outcome: Outcome,
}

/// The second table, where the database and the program are of one version and the storage is one
/// that the node serves: a physical HSM that it is not opted in to is refused, whatever else holds.
///
/// # Errors
/// The facts do not decide: the same row has two answers.
pub fn restores() -> Result<Vec<(Facts, Answer)>> {
    let mut rows = BTreeMap::new();
    for case in Case::all() {
        let observed = case.observed();
        let selection = select(&observed, &program());
        let Some(storage) = observed
            .storage()
            .filter(|_| !observed.is_refused_hsm_storage())
        else {
            continue;
        };
        if selection.startup != StartupScenario::VersionMatch {
            continue;
        }
        let facts = facts(storage, observed.wizard_state());
        let answer = answer(&observed, selection)
            .ok_or_else(|| format!("no restore and no refusal: {case:?}"))?;
        match rows.insert(facts, answer) {
            Some(before) if before != answer => {
                return Err(format!("{facts:?} gives both {before:?} and {answer:?}"));
            }
            _ => {}
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, answer)| answer.scenario.map_or(RestoreScenario::ALL.len(), position));
    Ok(rows)
}

/// Where a scenario stands among all.
pub fn position(restore: RestoreScenario) -> usize {
    let all = RestoreScenario::ALL;
    all.iter().position(|other| *other == restore).unwrap_or(0)
}

fn facts(storage: &Storage, wizard: WizardState) -> Facts {
    let wizard = match wizard {
        WizardState::Completed => "completed",
        WizardState::Incomplete => "incomplete",
    };
    let (storage, wizard, dek) = match storage {
        Storage::NotConfigured { .. } => ("none", "any", ""),
        Storage::Software => ("software", wizard, ""),
        Storage::SoftHsm(sealing) if sealing.is_new_kek_scenario() => {
            ("softhsm", "any", "KEK lost")
        }
        Storage::SoftHsm(sealing) => ("softhsm", wizard, dek(*sealing)),
        Storage::PhysicalHsm(_) | Storage::RefusedHsm { .. } => {
            let sealing = storage.sealing();
            ("physical_hsm", wizard, sealing.map_or("", dek))
        }
    };
    Facts {
        storage,
        wizard,
        dek,
    }
}

fn dek(sealing: DekWays) -> &'static str {
    if sealing.is_dek_cached() {
        "cached"
    } else {
        "not cached"
    }
}

fn answer(observed: &Observed, selection: Selection) -> Option<Answer> {
    let (scenario, outcome) = match (selection.restore, Plan::of(observed, selection)) {
        (Some(restore), Ok(plan)) => (Ok(restore), plan.outcome),
        (Some(restore), Err(_)) => (Ok(restore), Outcome::Refused),
        (None, Err(refusal)) => (Err(refusal), Outcome::Failed),
        (None, Ok(_)) => return None,
    };
    Some(Answer { scenario, outcome })
}

/// What follows a start-up scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Follows {
    /// What a start ends with where nothing has to be restored.
    pub ends: Option<Outcome>,
    /// Whether the second table is asked.
    pub restores: bool,
}

/// What follows each start-up scenario, in the order of `ALL`, where the node serves its storage.
///
/// # Errors
/// A scenario without a restore ends in two ways.
pub fn follows() -> Result<[(StartupScenario, Follows); StartupScenario::ALL.len()]> {
    let mut all = StartupScenario::ALL.map(|startup| (startup, Follows::default()));
    for case in Case::all() {
        let observed = case.observed();
        if observed.is_refused_hsm_storage() {
            continue;
        }
        let selection = select(&observed, &program());
        let Some((_, follows)) = (all.iter_mut()).find(|(name, _)| *name == selection.startup)
        else {
            continue;
        };
        let ends = match (selection.restore, Plan::of(&observed, selection)) {
            (Some(_), _) | (None, Err(Refusal::NoStorage)) => {
                follows.restores = true;
                continue;
            }
            (None, Ok(plan)) => plan.outcome,
            (None, Err(Refusal::Downgrade | Refusal::PhysicalHsm)) => Outcome::Refused,
        };
        match follows.ends.replace(ends) {
            Some(before) if before != ends => {
                return Err(format!(
                    "{case:?} ends with {ends:?}, others with {before:?}"
                ));
            }
            _ => {}
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_restore_has_its_row_and_one_row_has_none() {
        let rows = restores().unwrap();
        assert_eq!(rows.len(), RestoreScenario::ALL.len() + 1);
        for (scenario, row) in RestoreScenario::ALL.iter().zip(&rows) {
            assert_eq!(row.1.scenario, Ok(*scenario));
            assert_eq!(row.1.outcome, scenario.outcome());
        }
    }

    #[test]
    fn a_physical_hsm_that_is_not_opted_in_to_is_refused_in_every_scenario() {
        let mut refused = std::collections::BTreeSet::new();
        for case in Case::all() {
            let observed = case.observed();
            if !observed.is_refused_hsm_storage() {
                continue;
            }
            let selection = select(&observed, &program());
            assert_eq!(
                Plan::of(&observed, selection),
                Err(Refusal::PhysicalHsm),
                "{case:?}"
            );
            refused.extend(selection.restore.map(RestoreScenario::name));
        }
        assert_eq!(refused.len(), 4, "{refused:?}");
    }

    #[test]
    fn one_start_up_scenario_goes_both_ways() {
        let both = follows().unwrap().into_iter();
        let both = both.filter(|(_, follows)| follows.ends.is_some() && follows.restores);
        let both: Vec<_> = both.map(|(startup, _)| startup).collect();
        assert_eq!(both, [StartupScenario::DbInitializedNoVersion]);
    }
}
