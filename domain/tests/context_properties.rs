//! Every attribute and property of the reference's StartupContext, over the whole input space.

mod common;

use common::{Case, version};
use domain::{ContextError, DekCacheState, Presence, StorageType, WizardState};

#[test]
fn the_attributes_are_the_references() {
    let case = Case::all()[0];
    // Destructured without `..`: an attribute that goes missing does not compile.
    let domain::StartupContext {
        db_initialized,
        db_version,
        current_version,
        schema: _,
        wizard_state,
        wizard_state_raw: _,
        storage_type,
        dek_cache_state,
        has_kek,
        has_backup_encrypted_dek,
    } = case.context();
    assert_eq!(db_initialized, case.initialised);
    assert!(db_version.is_none());
    assert_eq!(
        current_version.precedence(&version("2.1.0")),
        std::cmp::Ordering::Equal
    );
    assert_eq!(wizard_state, case.wizard);
    assert_eq!(storage_type, case.storage);
    assert_eq!(dek_cache_state, case.dek);
    assert_eq!(has_kek, case.kek);
    assert_eq!(has_backup_encrypted_dek, case.backup);
}

#[test]
fn is_wizard_completed_follows_the_wizard() {
    for case in Case::all() {
        assert_eq!(
            case.context().is_wizard_completed(),
            case.wizard == WizardState::Completed,
            "{case:?}"
        );
    }
}

#[test]
fn the_storage_properties_exclude_one_another() {
    for case in Case::all() {
        let context = case.context();
        let named = [
            (context.is_software_storage(), StorageType::Software),
            (context.is_softhsm_storage(), StorageType::SoftHsm),
            (context.is_physical_hsm_storage(), StorageType::PhysicalHsm),
        ];
        for (is_it, storage) in named {
            assert_eq!(is_it, case.storage == Some(storage), "{storage}: {case:?}");
        }
    }
}

#[test]
fn is_hsm_storage_is_softhsm_or_physical() {
    for case in Case::all() {
        let expected = match case.storage {
            Some(StorageType::SoftHsm | StorageType::PhysicalHsm) => true,
            Some(StorageType::Software) | None => false,
        };
        assert_eq!(case.context().is_hsm_storage(), expected, "{case:?}");
    }
}

#[test]
fn is_dek_cached_answers_for_hsm_storage_alone() {
    for case in Case::all() {
        let expected = match (case.storage, case.dek) {
            (None | Some(StorageType::Software), _) => {
                Err(ContextError::NoHsmStorage(case.storage))
            }
            (Some(_), None) => Err(ContextError::NotObserved),
            (Some(_), Some(DekCacheState::Cached)) => Ok(true),
            (Some(_), Some(DekCacheState::NotCached)) => Ok(false),
        };
        assert_eq!(case.context().is_dek_cached(), expected, "{case:?}");
    }
}

#[test]
fn the_error_for_software_storage_names_the_storage() {
    let message = ContextError::NoHsmStorage(Some(StorageType::Software)).to_string();
    assert!(
        message.ends_with("this node's storage is software"),
        "{message}"
    );
    let message = ContextError::NoHsmStorage(None).to_string();
    assert!(
        message.ends_with("this node's storage is not configured"),
        "{message}"
    );
}

#[test]
fn is_new_kek_scenario_needs_all_four_facts_and_not_the_wizard() {
    let mut seen = 0;
    for case in Case::all() {
        let hsm = matches!(
            case.storage,
            Some(StorageType::SoftHsm | StorageType::PhysicalHsm)
        );
        let not_cached = case.dek == Some(DekCacheState::NotCached);
        let no_kek = case.kek == Presence::Absent;
        let backup = case.backup == Presence::Present;
        let expected = hsm && not_cached && no_kek && backup;
        seen += usize::from(expected);
        assert_eq!(case.context().is_new_kek_scenario(), expected, "{case:?}");
    }
    // 32 combinations of database, version and schema, both wizard states, both kinds of HSM.
    assert_eq!(seen, 32 * 2 * 2);
}

#[test]
fn presence_is_known_or_not() {
    assert_eq!(Presence::Present.known(), Some(true));
    assert_eq!(Presence::Absent.known(), Some(false));
    assert_eq!(Presence::Unknown.known(), None);
    assert_eq!(Presence::from(true), Presence::Present);
    assert_eq!(Presence::from(false), Presence::Absent);
}
