//! The selection over its whole finite input space, against an oracle that is written from the
//! tables of the specification: each row a predicate of its own, and exactly one of them matches.

mod common;

use std::collections::BTreeSet;

use common::{Case, Relation, program};
use domain::{
    CacheCopy, DekCacheState, DekWays, KekState, Outcome, Plan, Refusal, RestoreScenario,
    SchemaState, SetupWizardState, StartupScenario, Storage, select,
};

/// A row: what it says, and whether a case is in it.
type Row<R> = (R, fn(&Case) -> bool);

fn schema_fits(case: &Case) -> bool {
    case.schema == SchemaState::Current || case.schema == SchemaState::Behind
}

/// C2 and C9, as they are written: the mark wins; without it WIZARD_COMPLETED and the three
/// AUTO_RESTORE states count as completed.
fn completed(case: &Case) -> bool {
    let installed = [
        "WIZARD_COMPLETED",
        "WIZARD_AUTO_RESTORE_PASSWORD",
        "WIZARD_AUTO_RESTORE_HSM",
        "WIZARD_SETUP_HSM_AUTORESTORE",
    ];
    let file = case.wizard.file.map(SetupWizardState::name);
    case.wizard.is_marked || file.is_some_and(|file| installed.contains(&file))
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
}

fn softhsm(case: &Case, dek: DekCacheState) -> bool {
    matches!(case.storage, Storage::SoftHsm(sealing) if accessible(sealing) == (dek == DekCacheState::Cached))
}

/// The table is the same for one that is opted in to, whose device was asked, and for one that is
/// not, where the cache file counts.
fn physical(case: &Case, dek: DekCacheState) -> bool {
    let is_accessible = match case.storage {
        Storage::PhysicalHsm(sealing) => accessible(sealing),
        Storage::RefusedHsm { is_cached, .. } => is_cached,
        _ => return false,
    };
    is_accessible == (dek == DekCacheState::Cached)
}

/// "Without `hsm.physical` they are refused."
fn refused(case: &Case) -> bool {
    matches!(case.storage, Storage::RefusedHsm { .. })
}

/// "In the cache, or unwrapped just now by the KEK."
fn accessible(sealing: DekWays) -> bool {
    sealing.cache == CacheCopy::Ours || sealing.kek == KekState::Unwraps
}

/// "Not cached, no KEK on the token, backup-encrypted DEK present". Unknown is neither (C3).
fn kek_is_lost(case: &Case) -> bool {
    matches!(case.storage, Storage::SoftHsm(sealing)
        if !accessible(sealing)
            && sealing.kek == KekState::Absent
            && sealing.has_backup_password)
}

/// The second table.
const RESTORE_ROWS: [Row<Restored>; 12] = {
    use DekCacheState::{Cached, NotCached};
    use Restored::As;
    [
        (
            As("RESTORE_SOFTWARE_WIZARD_COMPLETED", Outcome::Ready),
            |case| case.storage == Storage::Software && completed(case),
        ),
        (
            As("RESTORE_SOFTWARE_WIZARD_INCOMPLETE", Outcome::SetupRequired),
            |case| case.storage == Storage::Software && !completed(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
                Outcome::RecoveryRequired,
            ),
            kek_is_lost,
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED",
                Outcome::Ready,
            ),
            |case| softhsm(case, Cached) && completed(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
                Outcome::RecoveryRequired,
            ),
            |case| softhsm(case, NotCached) && completed(case) && !kek_is_lost(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED",
                Outcome::SetupRequired,
            ),
            |case| softhsm(case, Cached) && !completed(case),
        ),
        (
            As(
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
                Outcome::SetupRequired,
            ),
            |case| softhsm(case, NotCached) && !completed(case) && !kek_is_lost(case),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_CACHED",
                Outcome::Ready,
            ),
            |case| physical(case, Cached) && completed(case),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED",
                Outcome::RecoveryRequired,
            ),
            |case| physical(case, NotCached) && completed(case),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_CACHED",
                Outcome::SetupRequired,
            ),
            |case| physical(case, Cached) && !completed(case),
        ),
        (
            As(
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED",
                Outcome::SetupRequired,
            ),
            |case| physical(case, NotCached) && !completed(case),
        ),
        (Restored::NoStorage, |case| {
            matches!(case.storage, Storage::NotConfigured { .. })
        }),
    ]
};

/// Where a restore follows: the table's third column; for a database without a version record
/// where the wizard is completed (C20), and for the storage that is refused in every state.
const RESTORE_FOLLOWS: [Row<bool>; 2] = [
    (true, |case| {
        ["VERSION_MATCH", "VERSION_UPGRADE"].contains(&oracle_startup(case))
            || (oracle_startup(case) == "DB_INITIALIZED_NO_VERSION"
                && (completed(case) || refused(case)))
    }),
    (false, |case| {
        ["DB_NOT_INITIALIZED", "VERSION_DOWNGRADE"].contains(&oracle_startup(case))
            || (oracle_startup(case) == "DB_INITIALIZED_NO_VERSION"
                && !completed(case)
                && !refused(case))
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

#[test]
fn the_space_is_the_whole_space() {
    let cases = Case::all();
    // A database or none; versions, schemas, state directories, marks, storages.
    assert_eq!(
        cases.len(),
        14 + 4 * 4 * 14 * 2 * (1 + 2 + 2 * 4 * 4 * 2 + 4)
    );
    let distinct: BTreeSet<_> = cases.iter().map(|case| format!("{case:?}")).collect();
    assert_eq!(distinct.len(), cases.len());
}

#[test]
fn the_selection_is_the_oracle() {
    for case in Case::all() {
        let selection = select(&case.observed(), &program());
        assert_eq!(selection.startup.name(), oracle_startup(&case), "{case:?}");
        let expected = if only_row(&RESTORE_FOLLOWS, &case) {
            match only_row(&RESTORE_ROWS, &case) {
                Restored::As(name, outcome) => Some((name, outcome)),
                Restored::NoStorage => None,
            }
        } else {
            None
        };
        let selected = selection
            .restore
            .map(|restore| (restore.name(), restore.outcome()));
        assert_eq!(selected, expected, "{case:?}");
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
        let selection = select(&case.observed(), &program());
        reached.insert(selection.startup.name());
        reached.extend(selection.restore.map(RestoreScenario::name));
    }
    let all: BTreeSet<_> = StartupScenario::ALL
        .map(StartupScenario::name)
        .into_iter()
        .chain(RestoreScenario::ALL.map(RestoreScenario::name))
        .collect();
    assert_eq!(all.len(), 16);
    assert_eq!(reached, all);
}

/// What the table's last column says of a case: an outcome, or why there is none.
fn oracle_outcome(case: &Case) -> Result<Outcome, Refusal> {
    let startup = oracle_startup(case);
    let no_storage = matches!(case.storage, Storage::NotConfigured { .. });
    let knows_token = case.storage == Storage::NotConfigured { knows_token: true };
    if startup == "VERSION_DOWNGRADE" {
        Err(Refusal::Downgrade)
    } else if case.initialised
        && no_storage
        && (only_row(&RESTORE_FOLLOWS, case) || completed(case) || knows_token)
    {
        Err(Refusal::NoStorage)
    } else if case.initialised && refused(case) {
        Err(Refusal::PhysicalHsm)
    } else if !only_row(&RESTORE_FOLLOWS, case) {
        Ok(Outcome::SetupRequired)
    } else {
        match only_row(&RESTORE_ROWS, case) {
            Restored::As(_, outcome) => Ok(outcome),
            Restored::NoStorage => Err(Refusal::NoStorage),
        }
    }
}

#[test]
fn every_case_has_a_plan_or_a_refusal_with_the_tables_outcome() {
    for case in Case::all() {
        let observed = case.observed();
        let planned = Plan::of(&observed, select(&observed, &program()));
        let outcome = planned.map(|plan| plan.outcome);
        assert_eq!(outcome, oracle_outcome(&case), "{case:?}");
    }
}
