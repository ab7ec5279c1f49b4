//! What a start has seen of the node: the input of every decision.

use std::fmt;
use std::str::FromStr;

use crate::{SetupWizardState, Version, WizardState};

/// Whether something is there, where "cannot know" is an answer of its own (C3): an unreachable
/// token says nothing about the keys on it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Presence {
    /// Seen.
    Present,
    /// Looked for where it would have to be, and not there.
    Absent,
    /// Not asked, or no answer.
    Unknown,
}

impl Presence {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Present, Self::Absent, Self::Unknown];

    /// `Some` where it is known.
    #[must_use]
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::Present => Some(true),
            Self::Absent => Some(false),
            Self::Unknown => None,
        }
    }
}

impl From<bool> for Presence {
    fn from(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

/// Where the node keeps its secrets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StorageType {
    /// In the database, in the clear.
    Software,
    /// In the database, sealed under a DEK that a SoftHSM token wraps.
    SoftHsm,
    /// A hardware token: not supported yet.
    PhysicalHsm,
}

impl StorageType {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Software, Self::SoftHsm, Self::PhysicalHsm];

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

/// Whether the plain DEK is accessible: in the cache, or unwrapped just now by the KEK.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DekCacheState {
    /// Accessible.
    Cached,
    /// Out of reach.
    NotCached,
}

impl DekCacheState {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cached, Self::NotCached];

    /// The reference's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cached => "CACHED",
            Self::NotCached => "NOT_CACHED",
        }
    }
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

impl SchemaState {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Current, Self::Behind, Self::Newer, Self::Diverged];
}

/// Everything a start's decision depends on.
#[derive(Clone, Debug)]
pub struct StartupContext {
    /// Whether there is a database with a schema.
    pub db_initialized: bool,
    /// The version that the last finished start recorded.
    pub db_version: Option<Version>,
    /// The version of this application.
    pub current_version: Version,
    /// The database's schema against the embedded one.
    pub schema: SchemaState,
    /// Whether setup was completed (after C2 and C9).
    pub wizard_state: WizardState,
    /// What the state directory says; `None` where it is empty.
    pub wizard_state_raw: Option<SetupWizardState>,
    /// The configured storage, where one is.
    pub storage_type: Option<StorageType>,
    /// Whether the DEK is accessible; `None` where there is no HSM storage.
    pub dek_cache_state: Option<DekCacheState>,
    /// Whether the token holds our KEK.
    pub has_kek: Presence,
    /// Whether the database holds the DEK wrapped by the backup password.
    pub has_backup_encrypted_dek: Presence,
}

/// A question that this context can not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContextError {
    /// Software storage has no DEK.
    #[error("the DEK's state applies to HSM storage alone; this node's storage is {}", .0.map_or("not configured", StorageType::name))]
    NoHsmStorage(Option<StorageType>),
    /// HSM storage, and nobody looked for the DEK.
    #[error("the storage is an HSM, and whether the DEK is accessible was not observed")]
    NotObserved,
}

impl StartupContext {
    /// Whether setup was completed.
    #[must_use]
    pub fn is_wizard_completed(&self) -> bool {
        self.wizard_state == WizardState::Completed
    }

    /// Whether the storage is software.
    #[must_use]
    pub fn is_software_storage(&self) -> bool {
        self.storage_type == Some(StorageType::Software)
    }

    /// Whether the storage is SoftHSM.
    #[must_use]
    pub fn is_softhsm_storage(&self) -> bool {
        self.storage_type == Some(StorageType::SoftHsm)
    }

    /// Whether the storage is a physical HSM.
    #[must_use]
    pub fn is_physical_hsm_storage(&self) -> bool {
        self.storage_type == Some(StorageType::PhysicalHsm)
    }

    /// Whether the storage is any HSM.
    #[must_use]
    pub fn is_hsm_storage(&self) -> bool {
        self.is_softhsm_storage() || self.is_physical_hsm_storage()
    }

    /// Whether the DEK is accessible.
    ///
    /// # Errors
    /// The storage is no HSM, or the DEK was not looked for.
    pub fn is_dek_cached(&self) -> Result<bool, ContextError> {
        if !self.is_hsm_storage() {
            return Err(ContextError::NoHsmStorage(self.storage_type));
        }
        match self.dek_cache_state {
            Some(state) => Ok(state == DekCacheState::Cached),
            None => Err(ContextError::NotObserved),
        }
    }

    /// Whether the old KEK is lost and the backup password can bring the DEK back: HSM storage,
    /// DEK not accessible, KEK known to be absent, backup-encrypted DEK present.
    ///
    /// The wizard is not asked: its state may be wrong after a restored backup.
    #[must_use]
    pub fn is_new_kek_scenario(&self) -> bool {
        self.is_dek_cached() == Ok(false)
            && self.has_kek == Presence::Absent
            && self.has_backup_encrypted_dek == Presence::Present
    }
}
