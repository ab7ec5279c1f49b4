//! Properties of every decision, over arbitrary contexts: arbitrary versions, and a wizard that is
//! whatever its file and the mark in the database make of it.

use std::cmp::Ordering;
use std::collections::HashSet;

use domain::{
    DekCacheState, Outcome, Plan, Presence, RestoreScenario, SchemaState, SetupWizardState,
    StartupContext, StartupScenario, Step, StorageType, TlsGoal, Version, WizardState, select,
    select_restore, select_startup,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select as one_of;

/// Numbers that often meet, so that equal versions are no rarity.
fn core() -> impl Strategy<Value = String> {
    (0..3_u64, 0..3_u64, prop_oneof![0..3_u64, any::<u64>()])
        .prop_map(|(major, minor, patch)| format!("{major}.{minor}.{patch}"))
}

fn pre_release() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "-(alpha|beta|rc)(\\.[1-9][0-9]{0,2})?"]
}

fn build() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\+[0-9a-z]{1,6}(\\.[0-9a-z]{1,3})?"]
}

/// A version without build metadata.
fn bare() -> impl Strategy<Value = String> {
    (core(), pre_release()).prop_map(|(core, pre_release)| core + &pre_release)
}

fn text() -> impl Strategy<Value = String> {
    (bare(), build()).prop_map(|(bare, build)| bare + &build)
}

#[expect(clippy::unwrap_used, reason = "the strategies above make versions")]
fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn raw_state() -> impl Strategy<Value = Option<SetupWizardState>> {
    option::of(one_of(&SetupWizardState::ALL[..]))
}

prop_compose! {
    fn any_context()(
        db_initialized in prop::bool::weighted(0.9),
        db_version in option::of(text()),
        current_version in text(),
        schema in one_of(&SchemaState::ALL[..]),
        raw in raw_state(),
        mark in any::<bool>(),
        storage_type in option::of(one_of(&StorageType::ALL[..])),
        dek_cache_state in option::weighted(0.9, one_of(&DekCacheState::ALL[..])),
        has_kek in one_of(&Presence::ALL[..]),
        has_backup_encrypted_dek in one_of(&Presence::ALL[..]),
    ) -> StartupContext {
        StartupContext {
            db_initialized,
            db_version: db_version.as_deref().map(version),
            current_version: version(&current_version),
            schema,
            wizard_state: SetupWizardState::effective(raw, mark),
            wizard_state_raw: raw,
            storage_type,
            dek_cache_state,
            has_kek,
            has_backup_encrypted_dek,
        }
    }
}

/// The plan of a context, where it has one.
fn plan_of(context: &StartupContext) -> Option<Plan> {
    let selection = select(context).ok()?;
    Plan::of(context, selection).ok()
}

fn position(plan: &Plan, wanted: Step) -> Option<usize> {
    plan.steps.iter().position(|step| *step == wanted)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_decision_is_the_same_each_time(context in any_context()) {
        let first = select(&context);
        prop_assert_eq!(first, select(&context.clone()));
        if let Ok(selection) = first {
            prop_assert_eq!(Plan::of(&context, selection), Plan::of(&context.clone(), selection));
        }
    }

    #[test]
    fn build_metadata_is_irrelevant(
        context in any_context(),
        recorded in bare(),
        current in bare(),
        builds in (build(), build()),
    ) {
        let decide = |recorded: &str, current: &str| {
            select_startup(&StartupContext {
                db_version: Some(version(recorded)),
                current_version: version(current),
                ..context.clone()
            })
        };
        prop_assert_eq!(
            decide(&recorded, &current),
            decide(&(recorded.clone() + &builds.0), &(current.clone() + &builds.1))
        );
    }

    #[test]
    fn precedence_is_antisymmetric(a in text(), b in text()) {
        let (a, b) = (version(&a), version(&b));
        prop_assert_eq!(a.precedence(&b), b.precedence(&a).reverse());
        prop_assert_eq!(a.precedence(&a), Ordering::Equal);
    }

    #[test]
    fn a_pre_release_comes_before_its_release(core in core(), pre in "-(alpha|beta|rc)(\\.[1-9])?") {
        prop_assert_eq!(version(&(core.clone() + &pre)).precedence(&version(&core)), Ordering::Less);
    }

    #[test]
    fn a_version_is_written_as_it_was_read(text in text()) {
        prop_assert_eq!(version(&text).to_string(), text);
    }

    #[test]
    fn c03_an_unknown_kek_is_not_a_lost_one(context in any_context()) {
        let context = StartupContext { has_kek: Presence::Unknown, ..context };
        prop_assert!(!context.is_new_kek_scenario());
        prop_assert_ne!(
            select_restore(&context),
            Ok(RestoreScenario::SoftHsmNewKekWizardCompleted)
        );
    }

    #[test]
    fn what_is_refused_has_no_steps_and_all_else_has(context in any_context()) {
        if let Ok(selection) = select(&context) {
            let refused = selection.startup == StartupScenario::VersionDowngrade
                || selection.restore.map(RestoreScenario::outcome) == Some(Outcome::Refused);
            match Plan::of(&context, selection) {
                Ok(plan) => {
                    prop_assert!(!refused);
                    prop_assert!(!plan.steps.is_empty());
                    prop_assert!(!matches!(plan.outcome, Outcome::Refused | Outcome::Failed));
                }
                Err(_) => prop_assert!(refused),
            }
        }
    }

    #[test]
    fn c05_the_start_is_recorded_last_or_not_at_all(context in any_context()) {
        if let Some(plan) = plan_of(&context)
            && let Some(at) = position(&plan, Step::RecordStart)
        {
            prop_assert_eq!(at + 1, plan.steps.len());
        }
    }

    #[test]
    fn c05_a_new_version_is_recorded(context in any_context()) {
        if let Some(plan) = plan_of(&context)
            && select_startup(&context) != StartupScenario::VersionMatch
        {
            prop_assert_eq!(plan.steps.last(), Some(&Step::RecordStart));
        }
    }

    #[test]
    fn c06_a_schema_that_does_not_fit_is_a_downgrade(
        context in any_context(),
        schema in one_of(vec![SchemaState::Newer, SchemaState::Diverged]),
    ) {
        let context = StartupContext { db_initialized: true, schema, ..context };
        prop_assert_eq!(select_startup(&context), StartupScenario::VersionDowngrade);
        prop_assert_eq!(plan_of(&context), None);
    }

    #[test]
    fn c15_an_upgrade_is_snapshot_before_it_is_migrated(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            let snapshot = position(&plan, Step::SnapshotDatabase);
            let migrate = position(&plan, Step::MigrateDatabase);
            prop_assert!(migrate.is_some());
            prop_assert_eq!(
                snapshot.is_some(),
                select_startup(&context) == StartupScenario::VersionUpgrade
            );
            prop_assert!(snapshot.is_none() || snapshot < migrate);
        }
    }

    #[test]
    fn c22_only_a_ready_node_caches_its_dek(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            let caches = position(&plan, Step::CacheDek);
            let expected = plan.outcome == Outcome::Ready && context.is_softhsm_storage();
            prop_assert_eq!(caches.is_some(), expected);
            prop_assert!(caches.is_none() || position(&plan, Step::UnwrapDek) < caches);
            prop_assert!(caches.is_none() || position(&plan, Step::DropDekCache).is_none());
        }
    }

    #[test]
    fn no_step_is_planned_twice(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            let names: HashSet<_> = plan.steps.iter().map(|step| step.name()).collect();
            prop_assert_eq!(names.len(), plan.steps.len());
        }
    }

    #[test]
    fn a_plan_on_softhsm_storage_checks_the_hsm_before_all_else(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            // Of a physical HSM nothing is asked, and no plan touches one.
            let expected = context.is_softhsm_storage().then_some(0);
            prop_assert_eq!(position(&plan, Step::CheckHsm), expected);
        }
    }

    #[test]
    fn every_plan_gives_nginx_one_tls_set(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            let goals: Vec<_> = plan
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::ProvideTls(goal) => Some(*goal),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(goals.len(), 1);
            // What is saved under a DEK needs the DEK, and so does what is read.
            let needs_dek =
                matches!(goals.first(), Some(TlsGoal::FromDatabase | TlsGoal::ReuseOrGenerate));
            if context.is_hsm_storage() && needs_dek {
                prop_assert_eq!(context.is_dek_cached(), Ok(true));
            }
        }
    }

    #[test]
    fn c02_every_planned_move_of_the_wizard_is_allowed(context in any_context()) {
        if let Some(plan) = plan_of(&context) {
            let mut moves = 0;
            for step in &plan.steps {
                if let Step::SetWizard(to) = *step {
                    moves += 1;
                    prop_assert!(
                        SetupWizardState::may_move(context.wizard_state_raw, to),
                        "{:?} to {}", context.wizard_state_raw, to
                    );
                    // The next start, with the same mark, finds the node as this one left it.
                    let next = SetupWizardState::effective(Some(to), false);
                    let waits = plan.outcome == Outcome::SetupRequired;
                    prop_assert_eq!(next == WizardState::Incomplete, waits);
                }
            }
            prop_assert_eq!(moves, 1);
        }
    }

    #[test]
    fn c09_no_file_opens_setup_on_a_node_whose_database_says_completed(
        context in any_context(),
        raw in raw_state(),
    ) {
        let context = StartupContext {
            db_initialized: true,
            wizard_state: SetupWizardState::effective(raw, true),
            wizard_state_raw: raw,
            ..context
        };
        if let Some(plan) = plan_of(&context) {
            prop_assert_ne!(plan.outcome, Outcome::SetupRequired);
            let first = Step::SetWizard(SetupWizardState::SetupCryptoStorage);
            prop_assert_eq!(position(&plan, first), None);
        }
    }

    #[test]
    fn c02_a_node_that_waits_for_its_password_keeps_waiting(
        context in any_context(),
        raw in one_of(vec![
            SetupWizardState::AutoRestorePassword,
            SetupWizardState::AutoRestoreHsm,
            SetupWizardState::SetupHsmAutorestore,
        ]),
        mark in any::<bool>(),
    ) {
        let context = StartupContext {
            db_initialized: true,
            schema: SchemaState::Current,
            wizard_state: SetupWizardState::effective(Some(raw), mark),
            wizard_state_raw: Some(raw),
            storage_type: Some(StorageType::SoftHsm),
            dek_cache_state: Some(DekCacheState::NotCached),
            ..context
        };
        if let Some(plan) = plan_of(&context) {
            prop_assert_eq!(plan.outcome, Outcome::RecoveryRequired);
            let waits = Step::SetWizard(SetupWizardState::AutoRestorePassword);
            prop_assert!(position(&plan, waits).is_some());
        }
        // The old token is back.
        let context = StartupContext { dek_cache_state: Some(DekCacheState::Cached), ..context };
        if let Some(plan) = plan_of(&context) {
            prop_assert_eq!(plan.outcome, Outcome::Ready);
            prop_assert!(position(&plan, Step::SetWizard(SetupWizardState::Completed)).is_some());
        }
    }

    #[test]
    fn what_no_restore_asks_for_changes_nothing(context in any_context()) {
        // Software storage has no DEK: what is known of one cannot change the decision.
        let context = StartupContext { storage_type: Some(StorageType::Software), ..context };
        let blank = StartupContext {
            dek_cache_state: None,
            has_kek: Presence::Unknown,
            has_backup_encrypted_dek: Presence::Unknown,
            ..context.clone()
        };
        prop_assert_eq!(select(&context), select(&blank));
        prop_assert_eq!(plan_of(&context), plan_of(&blank));
    }
}
