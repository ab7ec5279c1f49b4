//! What a start has seen of the node: the input of every decision. A state that cannot be cannot be
//! written down here.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::{
    CacheCopy, DekWays, KekState, SetupWizardState, StartupScenario, Version, WizardState,
};

/// What a start has seen.
#[derive(Clone, Debug)]
pub enum Observed {
    /// There is no database yet.
    NoDatabase {
        /// What the state directory says; `None` where it is empty.
        wizard: Option<SetupWizardState>,
    },
    /// The database is newer than this program: nothing behind it was asked.
    Newer(Database),
    /// A database that this program can serve.
    Installed(Installed),
}

/// An installed node.
#[derive(Clone, Debug)]
pub struct Installed {
    /// What the database says of itself and of setup.
    pub database: Database,
    /// Where the node keeps its secrets.
    pub storage: Storage,
}

/// What the database says of itself and of setup.
#[derive(Clone, Debug)]
pub struct Database {
    /// The version that the last finished start recorded.
    pub version: Option<Version>,
    /// Its schema against the one that this program has embedded.
    pub schema: SchemaState,
    /// Setup, by the state directory and by the database's mark.
    pub wizard: Wizard,
}

/// What the state directory and the database say of setup.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Wizard {
    /// What the state directory says; `None` where it is empty.
    pub file: Option<SetupWizardState>,
    /// Whether the database remembers that setup was completed.
    pub is_marked: bool,
}

/// Where the node keeps its secrets, and whether they can be opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Storage {
    /// Nothing is configured.
    NotConfigured {
        /// Whether the database knows of a token all the same: then something was sealed.
        knows_token: bool,
    },
    /// In the database, in the clear.
    Software,
    /// In the database, sealed under a DEK that a SoftHSM token wraps.
    SoftHsm(DekWays),
    /// In the database, sealed under a DEK that a physical HSM wraps. The node is opted in to one,
    /// so that the device was asked as a SoftHSM token is.
    PhysicalHsm(DekWays),
    /// The same on a node that is not opted in. It is refused, so nothing was asked of the device.
    RefusedHsm {
        /// Whether there is a file in the DEK cache; nobody looked into it.
        is_cached: bool,
        /// Whether the database has a DEK under a backup password, in a valid form.
        has_backup_password: bool,
    },
}

/// The kind of storage, as it is configured.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StorageType {
    /// In the database, in the clear.
    Software,
    /// In the database, sealed under a DEK that a SoftHSM token wraps.
    SoftHsm,
    /// A hardware token.
    PhysicalHsm,
}

/// How the schema of the database stands to the migrations in this binary.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SchemaState {
    /// Every embedded migration is applied.
    Current,
    /// Some embedded migrations are still to be applied.
    Behind,
    /// Migrations are applied that this binary does not know.
    Newer,
    /// An applied migration differs from the embedded one of the same number.
    Diverged,
}

impl Observed {
    /// What the state directory says; `None` where it is empty.
    #[must_use]
    pub const fn wizard_file(&self) -> Option<SetupWizardState> {
        match self {
            Self::NoDatabase { wizard } => *wizard,
            Self::Newer(database) => database.wizard.file,
            Self::Installed(installed) => installed.database.wizard.file,
        }
    }

    /// What the database says of itself, where there is one.
    #[must_use]
    pub const fn database(&self) -> Option<&Database> {
        match self {
            Self::NoDatabase { .. } => None,
            Self::Newer(database) => Some(database),
            Self::Installed(installed) => Some(&installed.database),
        }
    }

    /// The storage, where it was asked for.
    #[must_use]
    pub const fn storage(&self) -> Option<&Storage> {
        match self {
            Self::NoDatabase { .. } | Self::Newer(_) => None,
            Self::Installed(installed) => Some(&installed.storage),
        }
    }

    /// The ways to the DEK, where the storage is an HSM.
    #[must_use]
    pub const fn sealing(&self) -> Option<DekWays> {
        match self.storage() {
            Some(storage) => storage.sealing(),
            None => None,
        }
    }

    /// Whether setup was completed.
    #[must_use]
    pub fn is_wizard_completed(&self) -> bool {
        self.wizard_state() == WizardState::Completed
    }

    /// Whether setup was completed. Without a database it was not, whatever a file says.
    #[must_use]
    pub fn wizard_state(&self) -> WizardState {
        self.database()
            .map_or(WizardState::Incomplete, |database| database.wizard.state())
    }

    /// Whether the storage is software.
    #[must_use]
    pub const fn is_software_storage(&self) -> bool {
        matches!(self.storage(), Some(Storage::Software))
    }

    /// Whether the storage is SoftHSM.
    #[must_use]
    pub const fn is_softhsm_storage(&self) -> bool {
        matches!(self.storage(), Some(Storage::SoftHsm(_)))
    }

    /// Whether the storage is a physical HSM, opted in to or not.
    #[must_use]
    pub const fn is_physical_hsm_storage(&self) -> bool {
        matches!(
            self.storage(),
            Some(Storage::PhysicalHsm(_) | Storage::RefusedHsm { .. })
        )
    }

    /// Whether the storage is a physical HSM that the node is not opted in to.
    #[must_use]
    pub const fn is_refused_hsm_storage(&self) -> bool {
        matches!(self.storage(), Some(Storage::RefusedHsm { .. }))
    }

    /// Whether the storage is any HSM.
    #[must_use]
    pub const fn is_hsm_storage(&self) -> bool {
        self.sealing().is_some()
    }
}

impl Database {
    /// The first table for a node that has a database: how it stands to the program.
    #[must_use]
    pub fn scenario(&self, program: &Version) -> StartupScenario {
        use SchemaState::{Behind, Current, Diverged, Newer};
        use StartupScenario as S;
        let version = self.version.as_ref().map(|own| program.precedence(own));
        match (self.schema, version) {
            (Newer | Diverged, _) | (Current | Behind, Some(Ordering::Less)) => S::VersionDowngrade,
            (Current | Behind, None) => S::DbInitializedNoVersion,
            (Current | Behind, Some(Ordering::Equal)) => S::VersionMatch,
            (Current | Behind, Some(Ordering::Greater)) => S::VersionUpgrade,
        }
    }
}

impl Wizard {
    /// What selection uses.
    #[must_use]
    pub const fn state(self) -> WizardState {
        SetupWizardState::effective(self.file, self.is_marked)
    }
}

impl Storage {
    /// The kind, where one is configured.
    #[must_use]
    pub const fn kind(&self) -> Option<StorageType> {
        match self {
            Self::NotConfigured { .. } => None,
            Self::Software => Some(StorageType::Software),
            Self::SoftHsm(_) => Some(StorageType::SoftHsm),
            Self::PhysicalHsm(_) | Self::RefusedHsm { .. } => Some(StorageType::PhysicalHsm),
        }
    }

    /// The ways to the DEK, where there is one.
    #[must_use]
    pub const fn sealing(&self) -> Option<DekWays> {
        match *self {
            Self::NotConfigured { .. } | Self::Software => None,
            Self::SoftHsm(sealing) | Self::PhysicalHsm(sealing) => Some(sealing),
            Self::RefusedHsm {
                is_cached,
                has_backup_password,
            } => Some(DekWays {
                kek: KekState::Unknown,
                has_backup_password,
                cache: if is_cached {
                    CacheCopy::Ours
                } else {
                    CacheCopy::Absent
                },
            }),
        }
    }
}

impl StorageType {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Software, Self::SoftHsm, Self::PhysicalHsm];

    /// Whether a token wraps the DEK that seals the node's secrets.
    #[must_use]
    pub const fn is_hsm(self) -> bool {
        matches!(self, Self::SoftHsm | Self::PhysicalHsm)
    }

    /// The spelling in the database, on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::SoftHsm => "softhsm",
            Self::PhysicalHsm => "physical_hsm",
        }
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StorageType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|storage| storage.name() == name)
            .ok_or(())
    }
}

impl SchemaState {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Current, Self::Behind, Self::Newer, Self::Diverged];
}
