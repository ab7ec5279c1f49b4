//! Properties of every decision, over arbitrary nodes: arbitrary versions, and a wizard that is
//! whatever its file and the mark in the database make of it.

use std::cmp::Ordering;
use std::collections::HashSet;

use domain::{
    CacheCopy, Database, DekWays, Installed, KekState, Observed, Outcome, Plan, RestoreScenario,
    SchemaState, SetupWizardState, StartupScenario, Step, Storage, TlsGoal, Version, Wizard,
    WizardState, select, select_startup,
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

fn storage() -> impl Strategy<Value = Storage> {
    let sealing = (
        one_of(&KekState::ALL[..]),
        any::<bool>(),
        one_of(&CacheCopy::ALL[..]),
    );
    (0..5_u8, any::<bool>(), sealing).prop_map(|(kind, knows_token, (kek, backup, cache))| {
        let sealing = DekWays {
            kek,
            has_backup_password: backup,
            cache,
        };
        match kind {
            0 => Storage::NotConfigured { knows_token },
            1 => Storage::Software,
            2 => Storage::SoftHsm(sealing),
            3 => Storage::PhysicalHsm(sealing),
            _ => Storage::RefusedHsm {
                is_cached: cache == CacheCopy::Ours,
                has_backup_password: backup,
            },
        }
    })
}

prop_compose! {
    /// What a database says, and the version of the program.
    fn any_database()(
        recorded in option::of(text()),
        program in text(),
        schema in one_of(&SchemaState::ALL[..]),
        file in raw_state(),
        is_marked in any::<bool>(),
    ) -> (Database, Version) {
        let database = Database {
            version: recorded.as_deref().map(version),
            schema,
            wizard: Wizard { file, is_marked },
        };
        (database, version(&program))
    }
}

/// What a start can see, and the version of the program.
fn any_node() -> impl Strategy<Value = (Observed, Version)> {
    (prop::bool::weighted(0.9), any_database(), storage()).prop_map(
        |(initialised, (database, program), storage)| {
            let observed = if !initialised {
                Observed::NoDatabase {
                    wizard: database.wizard.file,
                }
            } else if database.scenario(&program) == StartupScenario::VersionDowngrade {
                Observed::Newer(database)
            } else {
                Observed::Installed(Installed { database, storage })
            };
            (observed, program)
        },
    )
}

/// The plan of a node, where it has one.
fn plan_of(node: &(Observed, Version)) -> Option<Plan> {
    let (observed, program) = node;
    Plan::of(observed, select(observed, program)).ok()
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
    fn build_metadata_is_irrelevant(
        (database, _) in any_database(),
        recorded in bare(),
        current in bare(),
        builds in (build(), build()),
    ) {
        let decide = |recorded: &str, current: &str| {
            let version_of = Some(version(recorded));
            Database { version: version_of, ..database.clone() }.scenario(&version(current))
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
    fn c03_an_unknown_kek_is_not_a_lost_one(
        (database, program) in any_database(),
        kek in one_of(vec![KekState::Unknown, KekState::OnToken, KekState::Unwraps]),
        has_backup_password in any::<bool>(),
        cache in one_of(&CacheCopy::ALL[..]),
    ) {
        let sealing = DekWays { kek, has_backup_password, cache };
        prop_assert!(!sealing.is_new_kek_scenario());
        let storage = Storage::SoftHsm(sealing);
        let observed = Observed::Installed(Installed { database, storage });
        prop_assert_ne!(
            select(&observed, &program).restore,
            Some(RestoreScenario::SoftHsmNewKekWizardCompleted)
        );
    }

    #[test]
    fn a_plan_has_steps_and_an_outcome_of_a_node_that_is_up(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
            prop_assert!(!plan.steps.is_empty());
            prop_assert!(!matches!(plan.outcome, Outcome::Refused | Outcome::Failed));
        }
    }

    #[test]
    fn c05_the_start_is_recorded_last_or_not_at_all(node in any_node()) {
        if let Some(plan) = plan_of(&node)
            && let Some(at) = position(&plan, Step::RecordStart)
        {
            prop_assert_eq!(at + 1, plan.steps.len());
        }
    }

    #[test]
    fn c05_a_new_version_is_recorded(node in any_node()) {
        if let Some(plan) = plan_of(&node)
            && select_startup(&node.0, &node.1) != StartupScenario::VersionMatch
        {
            prop_assert_eq!(plan.steps.last(), Some(&Step::RecordStart));
        }
    }

    #[test]
    fn c06_a_schema_that_does_not_fit_is_a_downgrade(
        (database, program) in any_database(),
        schema in one_of(vec![SchemaState::Newer, SchemaState::Diverged]),
    ) {
        let database = Database { schema, ..database };
        prop_assert_eq!(database.scenario(&program), StartupScenario::VersionDowngrade);
        let node = (Observed::Newer(database), program);
        prop_assert_eq!(plan_of(&node), None);
    }

    #[test]
    fn c15_an_upgrade_is_snapshot_before_it_is_migrated(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
            let snapshot = position(&plan, Step::SnapshotDatabase);
            let migrate = position(&plan, Step::MigrateDatabase);
            prop_assert!(migrate.is_some());
            prop_assert_eq!(
                snapshot.is_some(),
                select_startup(&node.0, &node.1) == StartupScenario::VersionUpgrade
            );
            prop_assert!(snapshot.is_none() || snapshot < migrate);
        }
    }

    #[test]
    fn c22_only_a_ready_node_caches_its_dek(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
            let caches = position(&plan, Step::CacheDek);
            let expected = plan.outcome == Outcome::Ready && node.0.is_hsm_storage();
            prop_assert_eq!(caches.is_some(), expected);
            prop_assert!(caches.is_none() || position(&plan, Step::DropDekCache).is_none());
        }
    }

    #[test]
    fn no_step_is_planned_twice(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
            let names: HashSet<_> = plan.steps.iter().map(|step| step.name()).collect();
            prop_assert_eq!(names.len(), plan.steps.len());
        }
    }

    #[test]
    fn what_may_be_the_last_copy_of_a_dek_stays_cached(node in any_node()) {
        if let Some(plan) = plan_of(&node)
            && plan.outcome != Outcome::Ready
        {
            // No other way is proven: the KEK did not unwrap it just now. Without a database nobody
            // can tell whose it is.
            let may_be_last = node.0.database().is_none()
                || node.0.sealing().is_some_and(|sealing| {
                    sealing.kek != KekState::Unwraps && sealing.cache != CacheCopy::Absent
                });
            prop_assert_eq!(position(&plan, Step::KeepDekCache).is_some(), may_be_last);
            prop_assert_eq!(position(&plan, Step::DropDekCache).is_some(), !may_be_last);
        }
    }

    #[test]
    fn every_plan_gives_nginx_one_tls_set(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
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
            if let Some(sealing) = node.0.sealing() && needs_dek {
                prop_assert!(sealing.is_dek_cached());
            }
        }
    }

    #[test]
    fn c02_every_planned_move_of_the_wizard_is_allowed(node in any_node()) {
        if let Some(plan) = plan_of(&node) {
            let mut moves = 0;
            for step in &plan.steps {
                if let Step::SetWizard(to) = *step {
                    moves += 1;
                    prop_assert!(
                        SetupWizardState::may_move(node.0.wizard_file(), to),
                        "{:?} to {}", node.0.wizard_file(), to
                    );
                    // The next start, with the same mark, finds the node as this one left it.
                    let is_marked = node.0.database().is_some_and(|own| own.wizard.is_marked);
                    let next = SetupWizardState::effective(Some(to), is_marked);
                    let waits = plan.outcome == Outcome::SetupRequired;
                    prop_assert_eq!(next == WizardState::Incomplete, waits);
                }
            }
            prop_assert_eq!(moves, 1);
        }
    }

    #[test]
    fn c09_no_file_opens_setup_on_a_node_whose_database_says_completed(
        (database, program) in any_database(),
        storage in storage(),
    ) {
        let wizard = Wizard { is_marked: true, ..database.wizard };
        let database = Database { wizard, ..database };
        let node = (Observed::Installed(Installed { database, storage }), program);
        if let Some(plan) = plan_of(&node) {
            prop_assert_ne!(plan.outcome, Outcome::SetupRequired);
            let first = Step::SetWizard(SetupWizardState::SetupCryptoStorage);
            prop_assert_eq!(position(&plan, first), None);
        }
    }

    #[test]
    fn c02_a_node_that_waits_for_its_password_keeps_waiting(
        (database, program) in any_database(),
        file in one_of(vec![
            SetupWizardState::AutoRestorePassword,
            SetupWizardState::AutoRestoreHsm,
            SetupWizardState::SetupHsmAutorestore,
        ]),
        has_backup_password in any::<bool>(),
        kek in one_of(vec![KekState::OnToken, KekState::Absent, KekState::Unknown]),
    ) {
        let wizard = Wizard { file: Some(file), ..database.wizard };
        let database = Database { schema: SchemaState::Current, wizard, ..database };
        let with = |kek, cache| {
            let storage = Storage::SoftHsm(DekWays { kek, has_backup_password, cache });
            let database = database.clone();
            let node = (Observed::Installed(Installed { database, storage }), program.clone());
            plan_of(&node)
        };
        if let Some(plan) = with(kek, CacheCopy::Absent) {
            prop_assert_eq!(plan.outcome, Outcome::RecoveryRequired);
            let waits = Step::SetWizard(SetupWizardState::AutoRestorePassword);
            prop_assert!(position(&plan, waits).is_some());
        }
        // The old token is back.
        if let Some(plan) = with(KekState::Unwraps, CacheCopy::Absent) {
            prop_assert_eq!(plan.outcome, Outcome::Ready);
            prop_assert!(position(&plan, Step::SetWizard(SetupWizardState::Completed)).is_some());
        }
    }
}
