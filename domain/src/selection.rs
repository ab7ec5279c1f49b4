//! The matrix: which scenario a node is in. The rows of the specification and nothing else.
//!
//! Whoever adds a scenario: its name goes into `scenario.rs`, its row here, its steps into
//! `plan.rs`; `domain/tests` and `cargo xtask tidy` complain until all of it is there.

use crate::{DekWays, Observed, RestoreScenario, StartupScenario, Storage, Version, WizardState};

/// The scenario of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Selection {
    /// How the database stands to the program.
    pub startup: StartupScenario,
    /// What has to be restored, where a restore follows and the storage says which.
    pub restore: Option<RestoreScenario>,
}

/// Selects both scenarios of a start.
#[must_use]
pub fn select(observed: &Observed, program: &Version) -> Selection {
    use StartupScenario as S;
    let startup = select_startup(observed, program);
    let restore = match startup {
        S::VersionMatch | S::VersionUpgrade => select_restore(observed),
        // A node that was set up gets its right outcome at once (C20), and a storage that this node
        // does not serve is refused now, not at the next start.
        S::DbInitializedNoVersion
            if observed.is_wizard_completed() || observed.is_refused_hsm_storage() =>
        {
            select_restore(observed)
        }
        S::DbNotInitialized | S::DbInitializedNoVersion | S::VersionDowngrade => None,
    };
    Selection { startup, restore }
}

/// The first table: database and version.
#[must_use]
pub fn select_startup(observed: &Observed, program: &Version) -> StartupScenario {
    match observed {
        Observed::NoDatabase { .. } => StartupScenario::DbNotInitialized,
        Observed::Newer(_) => StartupScenario::VersionDowngrade,
        Observed::Installed(installed) => installed.database.scenario(program),
    }
}

/// The second table: storage, wizard and DEK; `None` where there is no storage to restore from.
#[must_use]
pub fn select_restore(observed: &Observed) -> Option<RestoreScenario> {
    use Dek::{Cached, KekLost, NotCached};
    use RestoreScenario as R;
    use WizardState::{Completed, Incomplete};
    let wizard = observed.wizard_state();
    let storage = observed.storage()?;
    let dek = storage.sealing().map_or(NotCached, Dek::of);
    Some(match storage {
        Storage::NotConfigured { .. } => return None,
        Storage::Software => match wizard {
            Completed => R::SoftwareWizardCompleted,
            Incomplete => R::SoftwareWizardIncomplete,
        },
        Storage::SoftHsm(_) => match (wizard, dek) {
            (Completed | Incomplete, KekLost) => R::SoftHsmNewKekWizardCompleted,
            (Completed, Cached) => R::SoftHsmWizardCompletedDekCached,
            (Completed, NotCached) => R::SoftHsmWizardCompletedDekNotCached,
            (Incomplete, Cached) => R::SoftHsmWizardIncompleteDekCached,
            (Incomplete, NotCached) => R::SoftHsmWizardIncompleteDekNotCached,
        },
        Storage::PhysicalHsm(_) | Storage::RefusedHsm { .. } => match (wizard, dek) {
            (Completed, Cached) => R::PhysicalHsmWizardCompletedDekCached,
            (Completed, NotCached | KekLost) => R::PhysicalHsmWizardCompletedDekNotCached,
            (Incomplete, Cached) => R::PhysicalHsmWizardIncompleteDekCached,
            (Incomplete, NotCached | KekLost) => R::PhysicalHsmWizardIncompleteDekNotCached,
        },
    })
}

/// The third column of the second table.
enum Dek {
    Cached,
    NotCached,
    /// Not cached, no KEK on the token, backup-wrapped DEK present: checked first.
    KekLost,
}

impl Dek {
    fn of(sealing: DekWays) -> Self {
        if sealing.is_new_kek_scenario() {
            Self::KekLost
        } else if sealing.is_dek_cached() {
            Self::Cached
        } else {
            Self::NotCached
        }
    }
}
