//! The finite input space of a decision.

use domain::{
    CacheCopy, Database, DekWays, Installed, KekState, Observed, SchemaState, SetupWizardState,
    StartupScenario, Storage, Version, Wizard,
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

    /// A recorded version that stands so to the program's.
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
    pub wizard: Wizard,
    pub storage: Storage,
}

impl Case {
    /// The whole space.
    pub fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for wizard in wizards() {
            if !wizard.is_marked {
                cases.push(Self {
                    initialised: false,
                    relation: Relation::NoRecord,
                    schema: SchemaState::Behind,
                    wizard,
                    storage: Storage::NotConfigured { knows_token: false },
                });
            }
            for relation in Relation::ALL {
                for schema in SchemaState::ALL {
                    for storage in storages() {
                        cases.push(Self {
                            initialised: true,
                            relation,
                            schema,
                            wizard,
                            storage,
                        });
                    }
                }
            }
        }
        cases
    }

    /// The point as a start observes it.
    pub fn observed(self) -> Observed {
        if !self.initialised {
            return Observed::NoDatabase {
                wizard: self.wizard.file,
            };
        }
        let database = Database {
            version: self.relation.recorded(),
            schema: self.schema,
            wizard: self.wizard,
        };
        if database.scenario(&program()) == StartupScenario::VersionDowngrade {
            return Observed::Newer(database);
        }
        Observed::Installed(Installed {
            database,
            storage: self.storage,
        })
    }
}

/// The version of the program.
pub fn program() -> Version {
    version("2.1.0")
}

/// Every state directory with and without the database's mark.
fn wizards() -> Vec<Wizard> {
    let files = SetupWizardState::ALL.map(Some).into_iter().chain([None]);
    files
        .flat_map(|file| [false, true].map(|is_marked| Wizard { file, is_marked }))
        .collect()
}

/// Every storage.
pub fn storages() -> Vec<Storage> {
    let mut storages = vec![Storage::Software];
    for is_cached in [false, true] {
        storages.extend(
            [false, true].map(|has_backup_password| Storage::RefusedHsm {
                is_cached,
                has_backup_password,
            }),
        );
    }
    storages.extend([false, true].map(|knows_token| Storage::NotConfigured { knows_token }));
    for kek in KekState::ALL {
        for cache in CacheCopy::ALL {
            for has_backup_password in [false, true] {
                let sealing = DekWays {
                    kek,
                    has_backup_password,
                    cache,
                };
                storages.extend([Storage::SoftHsm(sealing), Storage::PhysicalHsm(sealing)]);
            }
        }
    }
    storages
}

/// A version that is known to parse.
#[expect(
    clippy::unwrap_used,
    reason = "only called with literals of this file's tests"
)]
pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}
