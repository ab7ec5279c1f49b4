//! Look: what the files and the database say. No token is asked, and nothing is changed but what a
//! writer that died left half done in the database: a start rolls it back.

use domain::{
    CacheCopy, Database, SchemaState, SetupWizardState, StartupScenario, Version, Wizard,
};
use ports::{ActiveCredential, CachedDek, Dek, NodeRecord, WizardError};

use crate::dek_ways;
use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::{record, storage};

/// What the files and the database say.
pub enum Look {
    /// There is no database.
    NoDatabase {
        /// What the state directory says.
        wizard: Option<SetupWizardState>,
    },
    /// The database is newer than this program.
    Newer(Database, Box<NodeRecord>),
    /// A database that this program can serve.
    Installed(Box<Installed>),
}

impl Look {
    /// Whether the start may come to change what nodes share: the schema, the version, the storage,
    /// the credential, the mark of a completed setup.
    pub fn may_change_shared(&self, node: &Node) -> bool {
        match self {
            Self::NoDatabase { .. } => true,
            Self::Newer(..) => false,
            Self::Installed(installed) => {
                let Installed {
                    database, record, ..
                } = &**installed;
                let scenario = database.scenario(&node.settings.app_version);
                let is_settled = scenario == StartupScenario::VersionMatch
                    && database.schema == SchemaState::Current
                    && database.wizard.is_marked
                    && record.storage.is_some()
                    && matches!(record.active_credential, ActiveCredential::Stored(_));
                !is_settled
            }
        }
    }
}

/// An installed node, before its token was asked.
pub struct Installed {
    /// What the database says of itself and of setup.
    pub database: Database,
    /// All that it says of the node.
    pub record: NodeRecord,
    /// The DEK of the cache, where it is the one that seals this database.
    pub cached: Option<Dek>,
    /// What the cache holds.
    pub cache: CacheCopy,
    /// The name of a file that is no state, in the place of the state.
    pub stray: Option<String>,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
}

/// Looks at the files and the database.
///
/// # Errors
/// A database or state directory that cannot be read or cannot be right, and what contradicts
/// itself.
pub fn look(node: &Node) -> Result<Look, Error> {
    let record = record::find(node)?;
    let is_marked = (record.as_ref()).is_some_and(|record| record.setup_completed_at.is_some());
    let (file, stray) = match node.host.wizard.read() {
        // The mark wins (C9).
        Err(WizardError::UnknownState { name, .. }) if is_marked => (None, Some(name)),
        read => (read?.state(), None),
    };
    let Some(record) = record else {
        return Ok(Look::NoDatabase { wizard: file });
    };
    let database = Database {
        version: recorded_version(node, &record)?,
        schema: record.schema,
        wizard: Wizard { file, is_marked },
    };
    if database.scenario(&node.settings.app_version) == StartupScenario::VersionDowngrade {
        return Ok(Look::Newer(database, Box::new(record)));
    }
    let completed = database.wizard.state() == domain::WizardState::Completed;
    if !storage::is_refused(node, record.storage) {
        // Of several copies it is the token that says which one is meant.
        let copy = record.sealing.only_copy();
        dek_ways::ensure_consistent(node, &record, completed, copy, None)?;
    }
    let mut warnings = Vec::new();
    warnings.extend(dek_ways::password_blob_warning(node, &record));
    let (cached, cache) = if storage::has_token(node, record.storage) {
        cached_dek(node, &record, &mut warnings)?
    } else {
        (None, CacheCopy::Absent)
    };
    Ok(Look::Installed(Box::new(Installed {
        database,
        record,
        cached,
        cache,
        stray,
        warnings,
    })))
}

/// The version that the database records.
///
/// # Errors
/// [`ports::FaultKind::DataCorrupt`] for one that does not parse.
pub fn recorded_version(node: &Node, record: &NodeRecord) -> Result<Option<Version>, Error> {
    record
        .version
        .as_deref()
        .map(|text| {
            text.parse().map_err(|error| {
                Refused::WrongVersion {
                    database: node.settings.database_path.clone(),
                    error,
                }
                .into()
            })
        })
        .transpose()
}

/// The DEK of the cache, where it is the one that seals this database, and what the cache holds.
fn cached_dek(
    node: &Node,
    record: &NodeRecord,
    warnings: &mut Vec<String>,
) -> Result<(Option<Dek>, CacheCopy), Error> {
    let path = node.secrets.cache.path();
    let cached = node.secrets.cache.read()?;
    let copy = dek_ways::cache_copy(node, &record.sealing, &cached);
    let dek = match cached {
        CachedDek::Absent => None,
        CachedDek::Unusable(why) => {
            warnings.push(format!("{path} is not used: {why}"));
            None
        }
        CachedDek::Present(dek) if copy == CacheCopy::Ours => Some(dek),
        CachedDek::Present(_) => {
            warnings.push(format!(
                "{path} is not used: it is not the DEK of this database"
            ));
            None
        }
    };
    Ok((dek, copy))
}
