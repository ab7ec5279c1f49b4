//! The sixteen scenarios under the reference's names, and the five outcomes.

use std::fmt;

/// How the database and its version stand to this binary.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StartupScenario {
    /// There is no database yet.
    DbNotInitialized,
    /// There is a database, and no start ever reached its end on it.
    DbInitializedNoVersion,
    /// Database and binary are of one version.
    VersionMatch,
    /// The binary is newer than the database.
    VersionUpgrade,
    /// The database is newer than the binary, by version or by schema (C6).
    VersionDowngrade,
}

impl StartupScenario {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::DbNotInitialized,
        Self::DbInitializedNoVersion,
        Self::VersionMatch,
        Self::VersionUpgrade,
        Self::VersionDowngrade,
    ];

    /// The reference's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DbNotInitialized => "DB_NOT_INITIALIZED",
            Self::DbInitializedNoVersion => "DB_INITIALIZED_NO_VERSION",
            Self::VersionMatch => "VERSION_MATCH",
            Self::VersionUpgrade => "VERSION_UPGRADE",
            Self::VersionDowngrade => "VERSION_DOWNGRADE",
        }
    }

    /// What a start in this scenario finds and does (the reference's `get_description()`).
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::DbNotInitialized => {
                "No database yet: create it, issue a TLS server credential, open the setup wizard"
            }
            Self::DbInitializedNoVersion => {
                "The database has no version record: initialise it, see that there is a TLS server \
                 credential, record the version"
            }
            Self::VersionMatch => "Database and program are of one version: initialise and restore",
            Self::VersionUpgrade => {
                "The program is newer than the database: snapshot, migrate, restore, record the \
                 new version"
            }
            Self::VersionDowngrade => {
                "The database is newer than the program: refuse, and change nothing"
            }
        }
    }
}

/// What has to be restored on a node that has a database.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RestoreScenario {
    /// Software storage, set up.
    SoftwareWizardCompleted,
    /// Software storage, not set up.
    SoftwareWizardIncomplete,
    /// SoftHSM, set up, the DEK is accessible.
    SoftHsmWizardCompletedDekCached,
    /// SoftHSM, set up, the DEK is out of reach.
    SoftHsmWizardCompletedDekNotCached,
    /// SoftHSM, not set up, the DEK is accessible.
    SoftHsmWizardIncompleteDekCached,
    /// SoftHSM, not set up, the DEK is out of reach.
    SoftHsmWizardIncompleteDekNotCached,
    /// SoftHSM whose token has lost our KEK, while the backup password can still open the DEK.
    SoftHsmNewKekWizardCompleted,
    /// Physical HSM, set up, the DEK is accessible.
    PhysicalHsmWizardCompletedDekCached,
    /// Physical HSM, set up, the DEK is out of reach.
    PhysicalHsmWizardCompletedDekNotCached,
    /// Physical HSM, not set up, the DEK is accessible.
    PhysicalHsmWizardIncompleteDekCached,
    /// Physical HSM, not set up, the DEK is out of reach.
    PhysicalHsmWizardIncompleteDekNotCached,
}

impl RestoreScenario {
    /// All eleven.
    pub const ALL: [Self; 11] = [
        Self::SoftwareWizardCompleted,
        Self::SoftwareWizardIncomplete,
        Self::SoftHsmWizardCompletedDekCached,
        Self::SoftHsmWizardCompletedDekNotCached,
        Self::SoftHsmWizardIncompleteDekCached,
        Self::SoftHsmWizardIncompleteDekNotCached,
        Self::SoftHsmNewKekWizardCompleted,
        Self::PhysicalHsmWizardCompletedDekCached,
        Self::PhysicalHsmWizardCompletedDekNotCached,
        Self::PhysicalHsmWizardIncompleteDekCached,
        Self::PhysicalHsmWizardIncompleteDekNotCached,
    ];

    /// The reference's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftwareWizardCompleted => "RESTORE_SOFTWARE_WIZARD_COMPLETED",
            Self::SoftwareWizardIncomplete => "RESTORE_SOFTWARE_WIZARD_INCOMPLETE",
            Self::SoftHsmWizardCompletedDekCached => "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED",
            Self::SoftHsmWizardCompletedDekNotCached => {
                "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
            }
            Self::SoftHsmWizardIncompleteDekCached => {
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_CACHED"
            }
            Self::SoftHsmWizardIncompleteDekNotCached => {
                "RESTORE_SOFTHSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED"
            }
            Self::SoftHsmNewKekWizardCompleted => "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
            Self::PhysicalHsmWizardCompletedDekCached => {
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_CACHED"
            }
            Self::PhysicalHsmWizardCompletedDekNotCached => {
                "RESTORE_PHYSICAL_HSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
            }
            Self::PhysicalHsmWizardIncompleteDekCached => {
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_CACHED"
            }
            Self::PhysicalHsmWizardIncompleteDekNotCached => {
                "RESTORE_PHYSICAL_HSM_WIZARD_INCOMPLETE_DEK_NOT_CACHED"
            }
        }
    }

    /// Storage, wizard, DEK, and what follows (the reference's `get_description()`).
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::SoftwareWizardCompleted => {
                "Software storage, wizard completed: give the TLS server credential to Nginx"
            }
            Self::SoftwareWizardIncomplete => {
                "Software storage, wizard incomplete: serve the setup page, from the first state"
            }
            Self::SoftHsmWizardCompletedDekCached => {
                "SoftHSM, wizard completed, DEK accessible: unwrap the DEK, give the TLS server \
                 credential to Nginx"
            }
            Self::SoftHsmWizardCompletedDekNotCached => {
                "SoftHSM, wizard completed, DEK out of reach: serve the recovery page and wait for \
                 the backup password"
            }
            Self::SoftHsmWizardIncompleteDekCached => {
                "SoftHSM, wizard incomplete, DEK accessible: serve the setup page, from the first \
                 state"
            }
            Self::SoftHsmWizardIncompleteDekNotCached => {
                "SoftHSM, wizard incomplete, DEK out of reach: serve the setup page under a \
                 temporary certificate, from the first state"
            }
            Self::SoftHsmNewKekWizardCompleted => {
                "SoftHSM, our KEK is not on the token, the DEK is kept under the backup password: \
                 serve the recovery page under a temporary certificate and wait for that password"
            }
            Self::PhysicalHsmWizardCompletedDekCached => {
                "Physical HSM, wizard completed, DEK accessible: unwrap the DEK, give the TLS \
                 server credential to Nginx"
            }
            Self::PhysicalHsmWizardCompletedDekNotCached => {
                "Physical HSM, wizard completed, DEK out of reach: serve the recovery page and \
                 wait for the backup password"
            }
            Self::PhysicalHsmWizardIncompleteDekCached => {
                "Physical HSM, wizard incomplete, DEK accessible: serve the setup page, from the \
                 first state"
            }
            Self::PhysicalHsmWizardIncompleteDekNotCached => {
                "Physical HSM, wizard incomplete, DEK out of reach: serve the setup page under a \
                 temporary certificate, from the first state"
            }
        }
    }

    /// What a start in this scenario ends with, where it is carried out.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::SoftwareWizardCompleted
            | Self::SoftHsmWizardCompletedDekCached
            | Self::PhysicalHsmWizardCompletedDekCached => Outcome::Ready,
            Self::SoftwareWizardIncomplete
            | Self::SoftHsmWizardIncompleteDekCached
            | Self::SoftHsmWizardIncompleteDekNotCached
            | Self::PhysicalHsmWizardIncompleteDekCached
            | Self::PhysicalHsmWizardIncompleteDekNotCached => Outcome::SetupRequired,
            Self::SoftHsmWizardCompletedDekNotCached
            | Self::SoftHsmNewKekWizardCompleted
            | Self::PhysicalHsmWizardCompletedDekNotCached => Outcome::RecoveryRequired,
        }
    }
}

impl fmt::Display for StartupScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for RestoreScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a command ended with, as its report names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// The node can serve.
    Ready,
    /// The node serves its setup page.
    SetupRequired,
    /// The node serves its recovery page and waits for the backup password.
    RecoveryRequired,
    /// The start was refused; nothing was changed.
    Refused,
    /// The start failed.
    Failed,
}

impl Outcome {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::SetupRequired,
        Self::RecoveryRequired,
        Self::Refused,
        Self::Failed,
    ];

    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::SetupRequired => "setup_required",
            Self::RecoveryRequired => "recovery_required",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
