//! Scenario to ordered steps, as data: what `--dry-run` prints is what a start carries out.

use std::fmt;

use crate::{
    CacheEvent, CacheFate, DekWays, Observed, Outcome, RestoreScenario, Selection,
    SetupWizardState, StartupScenario, Storage,
};

/// Which TLS set Nginx gets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TlsGoal {
    /// The active credential of the database. Where a completed node has none, one is made, saved
    /// and warned about (C13); one that cannot be read is an error and nothing is overwritten.
    FromDatabase,
    /// The active credential where it can be read and is valid, otherwise a new one, saved (C10).
    ReuseOrGenerate,
    /// The set Nginx has where it can start with it, otherwise a temporary one, not saved (C12).
    KeepOrTemporary,
    /// A temporary one, not saved. One that already stands there is kept while it is valid, so
    /// that a node that waits shows the same fingerprint after each restart.
    Temporary,
}

/// One step of a start. Each either leaves the node as it was or can be repeated.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Step {
    /// A verified copy of the database before it is migrated (C15).
    SnapshotDatabase,
    /// Pending migrations, all of them in one transaction.
    MigrateDatabase,
    /// Static files are collected.
    CollectStaticFiles,
    /// Message catalogues are compiled.
    CompileMessages,
    /// A storage configuration is created as SOFTWARE where there is none.
    ConfigureStorage,
    /// Nginx gets its TLS set.
    ProvideTls(TlsGoal),
    /// The plain DEK is put into the cache for the application.
    CacheDek,
    /// The cached DEK is removed: this node is not ready (C22).
    DropDekCache,
    /// The cached DEK stays, although this node is not ready: it may be the last copy.
    KeepDekCache,
    /// The wizard goes to this state by one rename (C8).
    SetWizard(SetupWizardState),
    /// The four things that `recover` will do are listed.
    AnnounceRecovery,
    /// Container id, history row and version, in one transaction, last of all (C5).
    RecordStart,
}

impl Step {
    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SnapshotDatabase => "snapshot_database",
            Self::MigrateDatabase => "migrate_database",
            Self::CollectStaticFiles => "collect_static_files",
            Self::CompileMessages => "compile_messages",
            Self::ConfigureStorage => "configure_storage",
            Self::ProvideTls(_) => "provide_tls",
            Self::CacheDek => "cache_dek",
            Self::DropDekCache | Self::KeepDekCache => "drop_dek_cache",
            Self::SetWizard(_) => "set_wizard_state",
            Self::AnnounceRecovery => "announce_recovery",
            Self::RecordStart => "record_start",
        }
    }

    /// What the step will do, for a plan that is shown and not carried out.
    #[must_use]
    pub const fn intent(self) -> &'static str {
        match self {
            Self::SnapshotDatabase => "make and verify a snapshot of the database",
            Self::MigrateDatabase => "apply pending migrations",
            Self::CollectStaticFiles => "collect the configured static files",
            Self::CompileMessages => "compile the configured message catalogues",
            Self::ConfigureStorage => "configure SOFTWARE storage where none is configured",
            Self::ProvideTls(TlsGoal::FromDatabase) => {
                "give Nginx the active TLS credential of the database"
            }
            Self::ProvideTls(TlsGoal::ReuseOrGenerate) => {
                "give Nginx the active TLS credential, or a new one that is saved"
            }
            Self::ProvideTls(TlsGoal::KeepOrTemporary) => {
                "keep the TLS set Nginx has, or give it a temporary one"
            }
            Self::ProvideTls(TlsGoal::Temporary) => "give Nginx a temporary TLS credential",
            Self::CacheDek => "put the DEK into the cache",
            Self::DropDekCache => "remove the DEK from the cache",
            Self::KeepDekCache => "leave the DEK in the cache: it may be the last copy",
            Self::SetWizard(state) => state.name(),
            Self::AnnounceRecovery => "list what `recover` will do",
            Self::RecordStart => "record container, history and version",
        }
    }
}

/// A start that has steps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// In the order in which they are carried out.
    pub steps: Vec<Step>,
    /// What the start ends with when every step worked.
    pub outcome: Outcome,
}

/// A start that must not be carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The database is newer than the program.
    #[error("the database is newer than this program")]
    Downgrade,
    /// The node is not opted in to a physical HSM. The reference's words.
    #[error(
        "Physical HSM storage is not yet supported. Please use SOFTWARE or SOFTHSM storage methods."
    )]
    PhysicalHsm,
    /// A node that was set up, or that has a version record, must have a storage: its secrets may
    /// be sealed, and must not fall back to the clear in silence. The reference's words.
    #[error("Unexpected storage configuration")]
    NoStorage,
}

impl Plan {
    /// The steps of a scenario.
    ///
    /// # Errors
    /// The scenario is one that is refused.
    pub fn of(observed: &Observed, selection: Selection) -> Result<Self, Refusal> {
        if selection.startup == StartupScenario::VersionDowngrade {
            return Err(Refusal::Downgrade);
        }
        if has_lost_storage(observed, selection.startup) {
            return Err(Refusal::NoStorage);
        }
        if observed.is_refused_hsm_storage() {
            return Err(Refusal::PhysicalHsm);
        }
        let restore = selection
            .restore
            .map(|restore| restore_steps(observed, restore));
        let outcome = selection
            .restore
            .map_or(Outcome::SetupRequired, RestoreScenario::outcome);

        let mut steps = Vec::new();
        if is_new_beside_traces(observed) {
            steps.push(Step::SetWizard(SetupWizardState::SetupCryptoStorage));
        }
        if selection.startup == StartupScenario::VersionUpgrade {
            steps.push(Step::SnapshotDatabase);
        }
        steps.extend([
            Step::MigrateDatabase,
            Step::CollectStaticFiles,
            Step::CompileMessages,
        ]);
        steps.extend(restore.unwrap_or_else(|| open_setup_steps(observed)));
        if !leaves_database_untouched(selection) {
            steps.push(Step::RecordStart);
        }
        Ok(Self { steps, outcome })
    }
}

/// "Initialise with TLS" of a node that was not set up.
fn open_setup_steps(observed: &Observed) -> Vec<Step> {
    let out_of_reach = observed
        .sealing()
        .is_some_and(|sealing| !sealing.is_dek_cached());
    let goal = if out_of_reach {
        TlsGoal::Temporary
    } else {
        TlsGoal::ReuseOrGenerate
    };
    let mut steps = vec![
        Step::ConfigureStorage,
        Step::ProvideTls(goal),
        not_ready(observed),
    ];
    if !is_new_beside_traces(observed) {
        steps.push(Step::SetWizard(SetupWizardState::SetupCryptoStorage));
    }
    steps
}

/// A physical HSM is restored as SoftHSM is. That its KEK is lost is no scenario of its own, and
/// announced all the same.
fn restore_steps(observed: &Observed, restore: RestoreScenario) -> Vec<Step> {
    use RestoreScenario as R;
    use SetupWizardState::{AutoRestorePassword, Completed, SetupCryptoStorage};
    match restore {
        R::SoftwareWizardCompleted => {
            vec![
                Step::ProvideTls(TlsGoal::FromDatabase),
                Step::SetWizard(Completed),
            ]
        }
        // A DEK may be left in the cache from the storage that was configured before.
        R::SoftwareWizardIncomplete => vec![
            Step::ProvideTls(TlsGoal::ReuseOrGenerate),
            not_ready(observed),
            Step::SetWizard(SetupCryptoStorage),
        ],
        // The DEK comes first: the TLS key in the database is sealed under it.
        R::SoftHsmWizardCompletedDekCached | R::PhysicalHsmWizardCompletedDekCached => vec![
            Step::ProvideTls(TlsGoal::FromDatabase),
            Step::CacheDek,
            Step::SetWizard(Completed),
        ],
        R::SoftHsmWizardCompletedDekNotCached | R::PhysicalHsmWizardCompletedDekNotCached => {
            let mut steps = vec![
                Step::ProvideTls(TlsGoal::KeepOrTemporary),
                not_ready(observed),
                Step::SetWizard(AutoRestorePassword),
            ];
            if observed.sealing().is_some_and(DekWays::is_new_kek_scenario) {
                steps.push(Step::AnnounceRecovery);
            }
            steps
        }
        R::SoftHsmNewKekWizardCompleted => vec![
            Step::ProvideTls(TlsGoal::Temporary),
            not_ready(observed),
            Step::SetWizard(AutoRestorePassword),
            Step::AnnounceRecovery,
        ],
        R::SoftHsmWizardIncompleteDekCached | R::PhysicalHsmWizardIncompleteDekCached => vec![
            Step::ProvideTls(TlsGoal::ReuseOrGenerate),
            not_ready(observed),
            Step::SetWizard(SetupCryptoStorage),
        ],
        R::SoftHsmWizardIncompleteDekNotCached | R::PhysicalHsmWizardIncompleteDekNotCached => {
            vec![
                Step::ProvideTls(TlsGoal::Temporary),
                not_ready(observed),
                Step::SetWizard(SetupCryptoStorage),
            ]
        }
    }
}

/// A DEK does not stay cached on a node that is not ready (C22), unless it may be the last copy.
/// Where nothing is sealed, a file in the cache is nobody's; without a database nobody can tell: the
/// volume that has it may only be missing.
fn not_ready(observed: &Observed) -> Step {
    match (observed, observed.sealing()) {
        (Observed::NoDatabase { .. }, _) => Step::KeepDekCache,
        (_, Some(sealing)) if sealing.fate(CacheEvent::NotReady) != CacheFate::Drop => {
            Step::KeepDekCache
        }
        _ => Step::DropDekCache,
    }
}

/// A new database beside the wizard state of an installed node, as the operator asked for (C14).
/// Here the wizard moves first: a start that dies with the new database and the old state would be
/// taken for a completed node.
fn is_new_beside_traces(observed: &Observed) -> bool {
    matches!(observed, Observed::NoDatabase { wizard: Some(state) } if state.counts_as_completed())
}

/// Without a storage configuration only a node that was never set up may go on, with SOFTWARE.
fn has_lost_storage(observed: &Observed, startup: StartupScenario) -> bool {
    match observed.storage() {
        Some(Storage::NotConfigured { knows_token }) => {
            *knows_token
                || observed.is_wizard_completed()
                || startup != StartupScenario::DbInitializedNoVersion
        }
        Some(
            Storage::Software
            | Storage::SoftHsm(_)
            | Storage::PhysicalHsm(_)
            | Storage::RefusedHsm { .. },
        )
        | None => false,
    }
}

/// A node that waits for its backup password keeps its database as it is, to the byte: whoever
/// brings it back may want to start from exactly this file.
fn leaves_database_untouched(selection: Selection) -> bool {
    selection.restore == Some(RestoreScenario::SoftHsmNewKekWizardCompleted)
        && selection.startup == StartupScenario::VersionMatch
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Version, select};

    fn new_node(wizard: Option<SetupWizardState>) -> Vec<Step> {
        let observed = Observed::NoDatabase { wizard };
        let program: Version = "1.0.0".parse().unwrap();
        let selection = select(&observed, &program);
        Plan::of(&observed, selection).unwrap().steps
    }

    #[test]
    fn c14_the_wizard_of_an_installed_node_moves_before_a_new_database_is_made() {
        let to_the_first = Step::SetWizard(SetupWizardState::SetupCryptoStorage);
        for state in SetupWizardState::ALL {
            let steps = new_node(Some(state));
            let moved = steps.iter().position(|step| *step == to_the_first).unwrap();
            let made = steps
                .iter()
                .position(|step| *step == Step::MigrateDatabase)
                .unwrap();
            assert_eq!(moved < made, state.counts_as_completed(), "{state}");
            assert_eq!(
                steps.iter().filter(|step| **step == to_the_first).count(),
                1
            );
        }
    }
}
