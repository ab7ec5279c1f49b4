//! The reference's properties of a start's context, over the whole input space.

mod common;

use common::{Case, Relation, program};
use domain::{
    CacheCopy, DekCacheState, KekState, SetupWizardState, Storage, StorageType, WizardState,
};

#[test]
fn what_is_observed_is_what_was_put_in() {
    for case in Case::all() {
        let observed = case.observed();
        assert_eq!(observed.database().is_some(), case.initialised, "{case:?}");
        assert_eq!(observed.wizard_file(), case.wizard.file, "{case:?}");
        if let Some(database) = observed.database() {
            assert_eq!(database.schema, case.schema);
            let recorded = database.version.is_some();
            assert_eq!(recorded, case.relation != Relation::NoRecord);
        }
    }
}

#[test]
fn c09_setup_is_completed_by_the_mark_or_by_the_file() {
    for case in Case::all() {
        let by_file = case
            .wizard
            .file
            .is_some_and(SetupWizardState::counts_as_completed);
        let expected = case.initialised && (case.wizard.is_marked || by_file);
        let observed = case.observed();
        assert_eq!(observed.is_wizard_completed(), expected, "{case:?}");
        assert_eq!(
            observed.wizard_state() == WizardState::Completed,
            expected,
            "{case:?}"
        );
    }
}

#[test]
fn the_storage_properties_exclude_one_another() {
    for case in Case::all() {
        let observed = case.observed();
        let kind = observed.storage().and_then(Storage::kind);
        let named = [
            (observed.is_software_storage(), StorageType::Software),
            (observed.is_softhsm_storage(), StorageType::SoftHsm),
            (observed.is_physical_hsm_storage(), StorageType::PhysicalHsm),
        ];
        for (is_it, storage) in named {
            assert_eq!(is_it, kind == Some(storage), "{storage}: {case:?}");
        }
        let hsm = observed.is_softhsm_storage() || observed.is_physical_hsm_storage();
        assert_eq!(observed.is_hsm_storage(), hsm, "{case:?}");
        assert_eq!(observed.sealing().is_some(), hsm, "{case:?}");
    }
}

#[test]
fn a_node_that_is_refused_as_newer_has_no_storage_to_ask() {
    for case in Case::all() {
        let observed = case.observed();
        let newer = observed
            .database()
            .is_some_and(|own| own.scenario(&program()).name() == "VERSION_DOWNGRADE");
        if newer {
            assert!(observed.storage().is_none(), "{case:?}");
        }
    }
}

#[test]
fn is_new_kek_scenario_needs_all_three_facts_and_not_the_wizard() {
    let mut seen = 0;
    for storage in common::storages() {
        let Some(sealing) = storage.sealing() else {
            continue;
        };
        let accessible = sealing.kek == KekState::Unwraps || sealing.cache == CacheCopy::Ours;
        assert_eq!(sealing.is_dek_cached(), accessible, "{storage:?}");
        let cached = sealing.dek_cache_state() == DekCacheState::Cached;
        assert_eq!(cached, accessible, "{storage:?}");
        let expected =
            !accessible && sealing.kek == KekState::Absent && sealing.has_backup_password;
        seen += usize::from(expected);
        assert_eq!(sealing.is_new_kek_scenario(), expected, "{storage:?}");
    }
    assert_eq!(
        seen,
        2 * 3,
        "for each kind of HSM, whatever else the cache holds"
    );
}
