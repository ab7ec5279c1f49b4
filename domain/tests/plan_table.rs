//! The steps of each scenario, written down from the specification's lists "Initialise" and
//! "Restore" and compared with the plan of every context.

mod common;

use common::{Case, Relation, program};
use domain::{
    CacheEvent, CacheFate, KekState, Observed, Outcome, Plan, Selection, SetupWizardState, Step,
    Storage, TlsGoal, select,
};

/// The steps of one restore, as its row in the specification has them.
const RESTORES: [(&str, &[&str]); 11] = [
    (
        "RESTORE_SOFTWARE_WIZARD_COMPLETED",
        &["provide_tls database", "set_wizard_state WIZARD_COMPLETED"],
    ),
    (
        "RESTORE_SOFTWARE_WIZARD_INCOMPLETE",
        &[
            "provide_tls reuse",
            "drop_dek_cache",
            "set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE",
        ],
    ),
    (
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED",
        &[
            "provide_tls database",
            "cache_dek",
            "set_wizard_state WIZARD_COMPLETED",
        ],
    ),
    (
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
        &[
            "provide_tls keep",
            "drop_dek_cache",
            "set_wizard_state WIZARD_AUTO_RESTORE_PASSWORD",
        ],
    ),
    (
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
        &[
            "provide_tls temporary",
            "drop_dek_cache",
            "set_wizard_state WIZARD_AUTO_RESTORE_PASSWORD",
            "announce_recovery",
        ],
    ),
    (
        "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED",
        &[
            "provide_tls reuse",
            "drop_dek_cache",
            "set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE",
        ],
    ),
    (
        "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
        &[
            "provide_tls temporary",
            "drop_dek_cache",
            "set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE",
        ],
    ),
    (
        "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_CACHED",
        &[
            "provide_tls database",
            "cache_dek",
            "set_wizard_state WIZARD_COMPLETED",
        ],
    ),
    // Where the KEK is known to be lost, `announce_recovery` follows.
    (
        "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
        &[
            "provide_tls keep",
            "drop_dek_cache",
            "set_wizard_state WIZARD_AUTO_RESTORE_PASSWORD",
        ],
    ),
    (
        "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_CACHED",
        &[
            "provide_tls reuse",
            "drop_dek_cache",
            "set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE",
        ],
    ),
    (
        "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
        &[
            "provide_tls temporary",
            "drop_dek_cache",
            "set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE",
        ],
    ),
];

/// Whether a physical HSM is known to have lost the KEK of a node that was set up, while the backup
/// password can bring the DEK back: no scenario of its own, and announced as SoftHSM's is.
fn physical_hsm_has_lost_the_kek(case: &Case, restore: &str) -> bool {
    restore == "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
        && matches!(case.storage, Storage::PhysicalHsm(sealing)
            if sealing.kek == KekState::Absent && sealing.has_backup_password)
}

/// "Initialise": migrations, static files, messages.
const INITIALISE: [&str; 3] = [
    "migrate_database",
    "collect_static_files",
    "compile_messages",
];

fn in_words(step: &Step) -> String {
    match step {
        Step::ProvideTls(goal) => {
            let goal = match goal {
                TlsGoal::FromDatabase => "database",
                TlsGoal::ReuseOrGenerate => "reuse",
                TlsGoal::KeepOrTemporary => "keep",
                TlsGoal::Temporary => "temporary",
            };
            format!("{step} {goal}")
        }
        Step::SetWizard(state) => format!("{step} {state}"),
        other => other.name().to_owned(),
    }
}

/// The planned cases with their steps in words.
fn planned() -> Vec<(Case, Selection, Outcome, Vec<String>)> {
    Case::all()
        .into_iter()
        .filter_map(|case| {
            let observed = case.observed();
            let selection = select(&observed, &program());
            let plan = Plan::of(&observed, selection).ok()?;
            let steps = plan.steps.iter().map(in_words).collect();
            Some((case, selection, plan.outcome, steps))
        })
        .collect()
}

#[test]
fn a_restores_steps_are_those_of_its_row() {
    for (case, selection, _, steps) in planned() {
        let Some(restore) = selection.restore else {
            continue;
        };
        let (_, row) = RESTORES
            .iter()
            .find(|(name, _)| *name == restore.name())
            .unwrap();
        let last_of_initialise = steps.iter().position(|step| step == INITIALISE[2]).unwrap();
        let restored: Vec<_> = steps[last_of_initialise + 1..]
            .iter()
            .filter(|step| *step != "record_start")
            .map(String::as_str)
            .collect();
        let mut expected = row.to_vec();
        if physical_hsm_has_lost_the_kek(&case, restore.name()) {
            expected.push("announce_recovery");
        }
        assert_eq!(restored, expected, "{case:?}");
    }
}

#[test]
fn what_comes_before_a_restore_is_the_list_initialise() {
    for (case, selection, _, steps) in planned() {
        let mut expected = Vec::new();
        // C14: a new database beside the wizard state of an installed node, as asked for.
        let raw = case.wizard.file.map(SetupWizardState::name);
        let installed = [
            "WIZARD_COMPLETED",
            "WIZARD_AUTO_RESTORE_PASSWORD",
            "WIZARD_AUTO_RESTORE_HSM",
            "WIZARD_SETUP_HSM_AUTORESTORE",
        ];
        if !case.initialised && raw.is_some_and(|raw| installed.contains(&raw)) {
            expected.push("set_wizard_state WIZARD_SETUP_CRYPTO_STORAGE");
        }
        if case.initialised && case.relation == Relation::ProgramNewer {
            expected.push("snapshot_database");
        }
        expected.extend(INITIALISE);
        if selection.restore.is_none() {
            expected.push("configure_storage");
        }
        assert_eq!(steps[..expected.len()], expected, "{case:?}");
    }
}

/// What the KEK gives again is dropped; the last copy is kept, and the step says which.
#[test]
fn c22_no_dek_stays_cached_on_a_node_that_is_not_ready_unless_it_may_be_the_last_copy() {
    for case in Case::all() {
        let observed = case.observed();
        let Ok(plan) = Plan::of(&observed, select(&observed, &program())) else {
            continue;
        };
        if plan.outcome == Outcome::Ready {
            continue;
        }
        let fate = match &observed {
            // What stands in the cache may belong to a database that is not mounted.
            Observed::NoDatabase { .. } => CacheFate::Keep,
            Observed::Newer(_) | Observed::Installed(_) => {
                observed.sealing().map_or(CacheFate::Drop, |sealing| {
                    sealing.fate(CacheEvent::NotReady)
                })
            }
        };
        let expected = match fate {
            CacheFate::Drop => Step::DropDekCache,
            CacheFate::Keep | CacheFate::Refuse => Step::KeepDekCache,
        };
        assert!(plan.steps.contains(&expected), "{case:?}: {:?}", plan.steps);
    }
}

#[test]
fn the_new_kek_scenario_leaves_the_database_as_it_is() {
    for (case, selection, _, steps) in planned() {
        let is_new_kek = selection.restore.map(domain::RestoreScenario::name)
            == Some("RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED");
        if is_new_kek && case.relation == Relation::Equal {
            assert!(!steps.iter().any(|step| step == "record_start"), "{case:?}");
        } else {
            assert_eq!(steps.last().unwrap(), "record_start", "{case:?}");
        }
    }
}
