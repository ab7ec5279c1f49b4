//! The finite input space of a decision.

use domain::{
    DekCacheState, Presence, SchemaState, SetupWizardState, StartupContext, StorageType, Version,
    WizardState,
};

/// How the program's version stands to the recorded one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Relation {
    /// No version is recorded.
    NoRecord,
    /// Both are of one precedence.
    Equal,
    /// The program is newer.
    ProgramNewer,
    /// The database is newer.
    DatabaseNewer,
}

impl Relation {
    pub const ALL: [Self; 4] = [
        Self::NoRecord,
        Self::Equal,
        Self::ProgramNewer,
        Self::DatabaseNewer,
    ];

    /// A recorded version that stands so to the program's, which is 2.1.0.
    fn recorded(self) -> Option<Version> {
        let text = match self {
            Self::NoRecord => return None,
            Self::Equal => "2.1.0",
            Self::ProgramNewer => "2.0.9",
            Self::DatabaseNewer => "2.1.1",
        };
        Some(version(text))
    }
}

/// One point of the input space, with the values that the tables of the specification speak of.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub initialised: bool,
    pub relation: Relation,
    pub schema: SchemaState,
    pub wizard: WizardState,
    pub storage: Option<StorageType>,
    pub dek: Option<DekCacheState>,
    pub kek: Presence,
    pub backup: Presence,
}

impl Case {
    /// The whole space: 6,912 points.
    pub fn all() -> Vec<Self> {
        let storages: Vec<_> = StorageType::ALL
            .map(Some)
            .into_iter()
            .chain([None])
            .collect();
        let deks: Vec<_> = DekCacheState::ALL
            .map(Some)
            .into_iter()
            .chain([None])
            .collect();
        let mut cases = Vec::new();
        for initialised in [false, true] {
            for relation in Relation::ALL {
                for schema in SchemaState::ALL {
                    for wizard in WizardState::ALL {
                        for &storage in &storages {
                            for &dek in &deks {
                                for kek in Presence::ALL {
                                    for backup in Presence::ALL {
                                        cases.push(Self {
                                            initialised,
                                            relation,
                                            schema,
                                            wizard,
                                            storage,
                                            dek,
                                            kek,
                                            backup,
                                        });
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    /// The point as a start observes it.
    pub fn context(self) -> StartupContext {
        StartupContext {
            db_initialized: self.initialised,
            db_version: self.relation.recorded(),
            current_version: version("2.1.0"),
            schema: self.schema,
            wizard_state: self.wizard,
            wizard_state_raw: Some(match self.wizard {
                WizardState::Completed => SetupWizardState::Completed,
                WizardState::Incomplete => SetupWizardState::SetupMode,
            }),
            storage_type: self.storage,
            dek_cache_state: self.dek,
            has_kek: self.kek,
            has_backup_encrypted_dek: self.backup,
        }
    }
}

/// A version that is known to parse.
#[expect(
    clippy::unwrap_used,
    reason = "only called with literals of this file's tests"
)]
pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}
