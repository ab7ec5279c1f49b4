//! The selection over its whole finite input space, against an oracle that is written from the
//! tables of the specification: each row a predicate of its own, and exactly one of them matches.

mod common;

use std::collections::BTreeSet;

use common::{Case, Relation};
use domain::{
    ContextError, DekCacheState, Outcome, Plan, Presence, Refusal, RestoreScenario, SchemaState,
    Selection, SelectionError, StartupScenario, StorageType, WizardState, select, select_restore,
    select_startup,
};

/// A row: its scenario's name in the specification, and whether a case is in it.
type Row<R> = (R, fn(&Case) -> bool);

fn schema_fits(case: &Case) -> bool {
    case.schema == SchemaState::Current || case.schema == SchemaState::Behind
}

/// The first table, and C6 as a row of its own.
const STARTUP_ROWS: [Row<&str>; 6] = [
    ("DB_NOT_INITIALIZED", |case| !case.initialised),
    ("DB_INITIALIZED_NO_VERSION", |case| {
        case.initialised && schema_fits(case) && case.relation == Relation::NoRecord
    }),
    ("VERSION_MATCH", |case| {
        case.initialised && schema_fits(case) && case.relation == Relation::Equal
    }),
    ("VERSION_UPGRADE", |case| {
        case.initialised && schema_fits(case) && case.relation == Relation::ProgramNewer
    }),
    ("VERSION_DOWNGRADE", |case| {
        case.initialised && schema_fits(case) && case.relation == Relation::DatabaseNewer
    }),
    // C6: whatever the version record says.
    ("VERSION_DOWNGRADE", |case| {
        case.initialised && !schema_fits(case)
    }),
];

/// What the second table says of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Restored {
    /// The row's scenario and the row's outcome.
    As(&'static str, Outcome),
    /// "Unexpected storage configuration".
    NoStorage,
    /// The table asks for the DEK, and nobody looked.
    DekNotObserved,
}

fn softhsm(case: &Case, wizard: WizardState, dek: DekCacheState) -> bool {
    case.storage == Some(StorageType::SoftHsm) && case.wizard == wizard && case.dek == Some(dek)
}

fn physical(case: &Case, wizard: WizardState, dek: DekCacheState) -> bool {
    case.storage == Some(StorageType::PhysicalHsm) && case.wizard == wizard && case.dek == Some(dek)
}

/// "Not cached, no KEK on the token, backup-encrypted DEK present". Unknown is neither (C3).
fn kek_is_lost(case: &Case) -> bool {
    case.dek == Some(DekCacheState::NotCached)
        && case.kek == Presence::Absent
        && case.backup == Presence::Present
}

/// The second table.
const RESTORE_ROWS: [Row<Restored>; 13] = {
    use DekCacheState::{Cached, NotCached};
    use Restored::As;
    use WizardState::{Completed, Incomplete};
    [
        (
            As("RESTORE_SOFTWARE_WIZARD_COMPLETED", Outcome::Ready),
            |case| case.storage == Some(StorageType::Software) && case.wizard == Completed,
        ),
        (
            As("RESTORE_SOFTWARE_WIZARD_INCOMPLETE", Outcome::SetupRequired),
            |case| case.storage == Some(StorageType::Software) && case.wizard == Incomplete,
        ),
        (
            As(
                "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
                Outcome::RecoveryRequired,
            ),
            |case| case.storage == Some(StorageType::SoftHsm) && kek_is_lost(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED",
                Outcome::Ready,
            ),
            |case| softhsm(case, Completed, Cached),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
                Outcome::RecoveryRequired,
            ),
            |case| softhsm(case, Completed, NotCached) && !kek_is_lost(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED",
                Outcome::SetupRequired,
            ),
            |case| softhsm(case, Incomplete, Cached),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
                Outcome::SetupRequired,
            ),
            |case| softhsm(case, Incomplete, NotCached) && !kek_is_lost(case),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_CACHED",
                Outcome::Refused,
            ),
            |case| physical(case, Completed, Cached),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
                Outcome::Refused,
            ),
            |case| physical(case, Completed, NotCached),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_CACHED",
                Outcome::Refused,
            ),
            |case| physical(case, Incomplete, Cached),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
                Outcome::Refused,
            ),
            |case| physical(case, Incomplete, NotCached),
        ),
        (Restored::NoStorage, |case| case.storage.is_none()),
        (Restored::DekNotObserved, |case| {
            matches!(
                case.storage,
                Some(StorageType::SoftHsm | StorageType::PhysicalHsm)
            ) && case.dek.is_none()
        }),
    ]
};

/// Where a restore follows: the table's third column; for a database without a version record
/// where the wizard is completed (C20), and for the storage that is refused in every state.
const RESTORE_FOLLOWS: [Row<bool>; 2] = [
    (true, |case| {
        ["VERSION_MATCH", "VERSION_UPGRADE"].contains(&oracle_startup(case))
            || (oracle_startup(case) == "DB_INITIALIZED_NO_VERSION"
                && (case.wizard == WizardState::Completed
                    || case.storage == Some(StorageType::PhysicalHsm)))
    }),
    (false, |case| {
        ["DB_NOT_INITIALIZED", "VERSION_DOWNGRADE"].contains(&oracle_startup(case))
            || (oracle_startup(case) == "DB_INITIALIZED_NO_VERSION"
                && case.wizard == WizardState::Incomplete
                && case.storage != Some(StorageType::PhysicalHsm))
    }),
];

/// The one row that a case is in; a case in no row or in two is a table that contradicts itself.
#[expect(clippy::panic, reason = "how a test fails")]
fn only_row<R: Copy>(rows: &[Row<R>], case: &Case) -> R {
    let mut matching = rows.iter().filter(|(_, is_in)| is_in(case));
    match (matching.next(), matching.next()) {
        (Some((result, _)), None) => *result,
        (None, _) => panic!("no row for {case:?}"),
        (Some(_), Some(_)) => panic!("more than one row for {case:?}"),
    }
}

fn oracle_startup(case: &Case) -> &'static str {
    only_row(&STARTUP_ROWS, case)
}

/// The code's answer in the oracle's terms.
fn in_words(answer: Result<RestoreScenario, SelectionError>) -> Restored {
    match answer {
        Ok(restore) => Restored::As(restore.name(), restore.outcome()),
        Err(SelectionError::UnexpectedStorage) => Restored::NoStorage,
        Err(SelectionError::Incomplete(ContextError::NotObserved)) => Restored::DekNotObserved,
        Err(SelectionError::Incomplete(ContextError::NoHsmStorage(_))) => {
            unreachable!("the DEK is asked for where the storage is an HSM")
        }
    }
}

#[test]
fn the_space_is_the_whole_space() {
    let cases = Case::all();
    assert_eq!(cases.len(), 2 * 4 * 4 * 2 * 4 * 3 * 3 * 3);
    let distinct: BTreeSet<_> = cases.iter().map(|case| format!("{case:?}")).collect();
    assert_eq!(distinct.len(), cases.len());
}

#[test]
fn the_first_table_is_the_oracle() {
    for case in Case::all() {
        assert_eq!(
            select_startup(&case.context()).name(),
            oracle_startup(&case),
            "{case:?}"
        );
    }
}

#[test]
fn the_second_table_is_the_oracle() {
    for case in Case::all() {
        assert_eq!(
            in_words(select_restore(&case.context())),
            only_row(&RESTORE_ROWS, &case),
            "{case:?}"
        );
    }
}

#[test]
fn the_selection_is_both_tables() {
    for case in Case::all() {
        let selected = select(&case.context());
        if !only_row(&RESTORE_FOLLOWS, &case) {
            let selection = selected.unwrap();
            assert_eq!(selection.startup.name(), oracle_startup(&case), "{case:?}");
            assert_eq!(selection.restore, None, "{case:?}");
            continue;
        }
        let restored = match selected {
            Ok(Selection {
                startup,
                restore: Some(restore),
            }) => {
                assert_eq!(startup.name(), oracle_startup(&case), "{case:?}");
                in_words(Ok(restore))
            }
            Ok(Selection { restore: None, .. }) => panic!("a restore was to follow: {case:?}"),
            Err(error) => in_words(Err(error)),
        };
        assert_eq!(restored, only_row(&RESTORE_ROWS, &case), "{case:?}");
    }
}

#[test]
fn every_row_is_reached() {
    fn unreached<R: std::fmt::Debug>(rows: &[Row<R>], cases: &[Case]) -> Vec<String> {
        rows.iter()
            .filter(|(_, is_in)| !cases.iter().any(is_in))
            .map(|(result, _)| format!("{result:?}"))
            .collect()
    }
    let cases = Case::all();
    assert_eq!(unreached(&STARTUP_ROWS, &cases), Vec::<String>::new());
    assert_eq!(unreached(&RESTORE_ROWS, &cases), Vec::<String>::new());
    assert_eq!(unreached(&RESTORE_FOLLOWS, &cases), Vec::<String>::new());
}

#[test]
fn all_sixteen_names_are_selected() {
    let mut reached = BTreeSet::new();
    for case in Case::all() {
        if let Ok(selection) = select(&case.context()) {
            reached.insert(selection.startup.name());
            reached.extend(selection.restore.map(RestoreScenario::name));
        }
    }
    let all: BTreeSet<_> = StartupScenario::ALL
        .map(StartupScenario::name)
        .into_iter()
        .chain(RestoreScenario::ALL.map(RestoreScenario::name))
        .collect();
    assert_eq!(all.len(), 16);
    assert_eq!(reached, all);
}

#[test]
fn every_selection_has_a_plan_or_a_refusal_with_the_tables_outcome() {
    for case in Case::all() {
        let context = case.context();
        let Ok(selection) = select(&context) else {
            continue;
        };
        let planned = Plan::of(&context, selection);
        let outcome = match selection.restore {
            _ if selection.startup == StartupScenario::VersionDowngrade => {
                assert_eq!(planned, Err(Refusal::Downgrade), "{case:?}");
                continue;
            }
            None => Outcome::SetupRequired,
            Some(_) => match only_row(&RESTORE_ROWS, &case) {
                Restored::As(_, Outcome::Refused) => {
                    assert_eq!(planned, Err(Refusal::PhysicalHsm), "{case:?}");
                    continue;
                }
                Restored::As(_, outcome) => outcome,
                other => panic!("{other:?} was selected: {case:?}"),
            },
        };
        let plan = planned.unwrap();
        assert_eq!(plan.outcome, outcome, "{case:?}");
        assert!(!plan.steps.is_empty(), "{case:?}");
    }
}

#[test]
fn c03_what_is_unknown_is_never_a_lost_kek() {
    for case in Case::all() {
        if case.kek == Presence::Absent && case.backup == Presence::Present {
            continue;
        }
        assert_ne!(
            select_restore(&case.context()),
            Ok(RestoreScenario::SoftHsmNewKekWizardCompleted),
            "{case:?}"
        );
    }
}

#[test]
fn c06_a_schema_that_does_not_fit_is_a_downgrade_whatever_the_version_says() {
    for case in Case::all() {
        if case.initialised && matches!(case.schema, SchemaState::Newer | SchemaState::Diverged) {
            let context = case.context();
            let selection = select(&context).unwrap();
            assert_eq!(
                selection.startup,
                StartupScenario::VersionDowngrade,
                "{case:?}"
            );
            assert_eq!(
                Plan::of(&context, selection),
                Err(Refusal::Downgrade),
                "{case:?}"
            );
        }
    }
}

#[test]
fn c20_a_completed_node_without_a_version_record_is_restored_at_once() {
    for case in Case::all() {
        let no_version =
            case.initialised && schema_fits(&case) && case.relation == Relation::NoRecord;
        if no_version && case.wizard == WizardState::Completed {
            let restore = select(&case.context()).map(|selection| selection.restore);
            assert_eq!(
                restore,
                select_restore(&case.context()).map(Some),
                "{case:?}"
            );
        }
    }
}
