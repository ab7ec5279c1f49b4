//! Observe: what the node is like, without changing it.

use std::time::Duration;

use domain::{
    CacheCopy, DekCacheState, DekWays, Presence, SchemaState, SetupWizardState, StartupContext,
    StartupScenario, StorageType, Trace, Version, WizardState, select_startup,
};
use ports::{
    CachedDek, DatabaseState, Dek, Fault, FaultKind, NodeRecord, PinState, Token, TokenRecord,
    TokenSight,
};

use crate::node::Node;
use crate::{sealing, token};

/// How far an observation may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// A start: waits for the HSM and logs in.
    Start,
    /// `--dry-run`: waits as the start would, logs in only where the DEK is not cached.
    DryRun,
    /// `status`: one try, logs in only where the DEK is not cached.
    Status,
}

/// What was seen.
pub struct Observation {
    /// The input of the decision.
    pub context: StartupContext,
    /// What the database says, where there is one.
    pub record: Option<NodeRecord>,
    /// The DEK, where it is accessible.
    pub dek: Option<AccessibleDek>,
    /// The ways to the DEK, where secrets are sealed under one.
    pub ways: Option<DekWays>,
    /// The token, where one was looked for and seen.
    pub token: Option<Token>,
    /// What answered of the HSM, for the report.
    pub hsm: Option<String>,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
}

impl Observation {
    /// Of a context, with nothing else seen yet.
    fn of(context: StartupContext) -> Self {
        Self {
            context,
            record: None,
            dek: None,
            ways: None,
            token: None,
            hsm: None,
            warnings: Vec::new(),
        }
    }
}

/// The plain DEK and how it was had.
pub struct AccessibleDek {
    /// The key.
    pub dek: Dek,
    /// The KEK unwrapped it just now; otherwise it was only found in the cache.
    pub unwrapped: bool,
}

/// Looks at the node.
///
/// # Errors
/// Whatever cannot be known for sure: an unreachable token, a database that cannot be read, a
/// wizard state that cannot be right, a database that is missing where one stood before.
pub fn observe(node: &Node, depth: Depth, accept_new: bool) -> Result<Observation, Fault> {
    let database = node.database.observe()?;
    let raw = node.wizard.read()?.state();
    match database {
        DatabaseState::NotInitialised => observe_new(node, raw, depth, accept_new),
        DatabaseState::Initialised(record) => observe_installed(node, *record, raw, depth),
    }
}

fn observe_new(
    node: &Node,
    raw: Option<SetupWizardState>,
    depth: Depth,
    accept_new: bool,
) -> Result<Observation, Fault> {
    let mut warnings = Vec::new();
    let traces = traces(node, raw, depth, &mut warnings)?;
    if !traces.is_empty() {
        let evidence = traces
            .iter()
            .map(Trace::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        if !accept_new {
            return Err(Fault::new(
                FaultKind::DataCorrupt,
                format!(
                    "the database {} is missing, but this node was set up before: {evidence}",
                    node.settings.database_path
                ),
                "mount the volume of the database, or restore a backup; to begin anew on purpose, \
                 start once with --accept-new-database",
            ));
        }
        warnings.push(format!("a new database is made although {evidence}"));
    }
    let mut observation = Observation::of(StartupContext {
        db_initialized: false,
        db_version: None,
        current_version: node.settings.app_version.clone(),
        schema: SchemaState::Behind,
        wizard_state: WizardState::Incomplete,
        wizard_state_raw: raw,
        storage_type: None,
        dek_cache_state: None,
        has_kek: Presence::Unknown,
        has_backup_encrypted_dek: Presence::Unknown,
    });
    observation.warnings = warnings;
    Ok(observation)
}

/// Traces of an installed node (C14).
fn traces(
    node: &Node,
    raw: Option<SetupWizardState>,
    depth: Depth,
    warnings: &mut Vec<String>,
) -> Result<Vec<Trace>, Fault> {
    let mut traces = Vec::new();
    if let Some(state) = raw.filter(|state| state.counts_as_completed()) {
        traces.push(Trace::Wizard {
            state,
            directory: node.wizard.directory(),
        });
    }
    let snapshots = node.database.snapshots()?;
    if let Some(newest) = snapshots.first() {
        traces.push(Trace::Snapshots {
            count: snapshots.len(),
            newest: newest.path.clone(),
        });
    }
    if node.settings.hsm_expected {
        match marked_token(node, depth) {
            Ok(marked) => traces.extend(marked),
            // Two tokens of one label, or a marker that is damaged: there is something, and which
            // is not for this program to guess.
            Err(fault) if matches!(fault.kind(), FaultKind::Config | FaultKind::DataCorrupt) => {
                return Err(fault);
            }
            // A fresh node may well come up before its HSM: no trace is proven, so it goes on.
            Err(fault) => warnings.push(format!(
                "the token could not be asked whether a node was installed on it: {fault}"
            )),
        }
    }
    Ok(traces)
}

/// Where somebody configured an HSM, it is waited for: a node whose volumes are missing must not
/// slip through because its HSM comes up a moment later.
fn marked_token(node: &Node, depth: Depth) -> Result<Option<Trace>, Fault> {
    let patience = if node.settings.hsm_configured {
        patience(node, depth)
    } else {
        Duration::ZERO
    };
    reach(node, patience)?;
    let sight = node.hsm.find_token(&token::query(node, None))?;
    Ok(match sight {
        TokenSight::Present(Token {
            label,
            serial,
            marker: Some(installation),
            ..
        }) => Some(Trace::TokenMarker {
            label,
            serial,
            installation,
        }),
        TokenSight::Present(_) | TokenSight::Absent { .. } => None,
    })
}

fn observe_installed(
    node: &Node,
    record: NodeRecord,
    raw: Option<SetupWizardState>,
    depth: Depth,
) -> Result<Observation, Fault> {
    let mut observation = Observation::of(StartupContext {
        db_initialized: true,
        db_version: recorded_version(node, &record)?,
        current_version: node.settings.app_version.clone(),
        schema: record.schema,
        wizard_state: SetupWizardState::effective(raw, record.setup_completed_at.is_some()),
        wizard_state_raw: raw,
        storage_type: record.storage,
        dek_cache_state: None,
        has_kek: Presence::Unknown,
        has_backup_encrypted_dek: Presence::Unknown,
    });
    // A database that is refused is not asked any further, and neither is its token.
    if select_startup(&observation.context) != StartupScenario::VersionDowngrade {
        let completed = observation.context.is_wizard_completed();
        sealing::refuse_contradiction(node, &record, completed, None)?;
        // One that no password opens is none: the second table must not promise that it helps.
        let known = record.token.as_ref();
        observation.context.has_backup_encrypted_dek = known
            .is_some_and(|known| sealing::has_password(node, known))
            .into();
        if let Some(fault) = sealing::password_blob_fault(node, &record) {
            let warning = format!("{fault}; {}", fault.hint());
            observation.warnings.push(warning);
        }
        match record.storage {
            Some(StorageType::SoftHsm) => SoftHsm {
                node,
                record: &record,
                depth,
            }
            .look(&mut observation)?,
            Some(StorageType::PhysicalHsm) => {
                observation.context.dek_cache_state = Some(cache_state(node.dek_cache.exists()?));
            }
            Some(StorageType::Software) | None => {}
        }
    }
    observation.record = Some(record);
    Ok(observation)
}

/// The version that the database records.
///
/// # Errors
/// [`FaultKind::DataCorrupt`] for one that does not parse.
pub fn recorded_version(node: &Node, record: &NodeRecord) -> Result<Option<Version>, Fault> {
    record
        .version
        .as_deref()
        .map(|text| {
            text.parse().map_err(|error: domain::VersionError| {
                Fault::new(
                    FaultKind::DataCorrupt,
                    format!(
                        "the version recorded in {} cannot be read: {error}",
                        node.settings.database_path
                    ),
                    "restore a backup or snapshot of the database, or correct the one row of \
                     app_version to the version that last ran on it",
                )
            })
        })
        .transpose()
}

/// Without a storage configuration only a node that was never set up may go on (with SOFTWARE):
/// one that was could have sealed secrets, and must not fall back in silence.
///
/// # Errors
/// [`FaultKind::Config`] for a node that was set up.
pub(super) fn refuse_lost_storage(node: &Node, seen: &Observation) -> Result<(), Fault> {
    let context = &seen.context;
    let refused = select_startup(context) == StartupScenario::VersionDowngrade;
    let Some(record) = seen.record.as_ref().filter(|_| !refused) else {
        return Ok(());
    };
    let was_set_up = context.is_wizard_completed() || record.token.is_some();
    if was_set_up && context.storage_type.is_none() {
        Err(super::unexpected_storage(node))
    } else {
        Ok(())
    }
}

fn cache_state(accessible: bool) -> DekCacheState {
    if accessible {
        DekCacheState::Cached
    } else {
        DekCacheState::NotCached
    }
}

fn patience(node: &Node, depth: Depth) -> Duration {
    match depth {
        Depth::Start | Depth::DryRun => node.settings.hsm_wait,
        Depth::Status => Duration::ZERO,
    }
}

fn reach(node: &Node, patience: Duration) -> Result<String, Fault> {
    let mut told = false;
    node.hsm.reach(patience, &mut |fault| {
        if !told {
            node.output.info(&format!("waiting for the HSM: {fault}"));
            told = true;
        }
    })
}

/// The observation of a node whose DEK a SoftHSM token wraps.
struct SoftHsm<'a> {
    node: &'a Node,
    record: &'a NodeRecord,
    depth: Depth,
}

impl SoftHsm<'_> {
    fn look(&self, seen: &mut Observation) -> Result<(), Fault> {
        let (cached, copy) = self.cached_dek(&mut seen.warnings)?;
        seen.hsm = Some(reach(self.node, patience(self.node, self.depth))?);
        let query = token::query(self.node, Some(self.record));
        let mut unwrapped = None;
        match self.node.hsm.find_token(&query)? {
            TokenSight::Absent { .. } => seen.context.has_kek = Presence::Absent,
            TokenSight::Present(token) => {
                token::refuse_foreign(self.node, &token, self.record.installation.as_ref())?;
                if token.pin == PinState::CountLow {
                    seen.warnings.push(format!(
                        "wrong PINs were tried on the token {:?} (serial {}): its tries run low",
                        token.label, token.serial
                    ));
                }
                // A token that was just initialised holds no key, whatever it held before.
                let is_blank = token.pin == PinState::NotInitialised;
                if let Some(known) = self.record.token.as_ref().filter(|_| !is_blank) {
                    let peek = self.depth != Depth::Start;
                    if !(peek && cached.is_some()) {
                        (seen.context.has_kek, unwrapped) = self
                            .ask(&token, known)
                            .map_err(|fault| self.advise(fault, known, copy))?;
                    }
                } else {
                    seen.context.has_kek = Presence::Absent;
                }
                seen.token = Some(token);
            }
        }
        seen.warnings.extend(self.missed_token(seen));
        seen.ways = self.record.token.as_ref().map(|known| DekWays {
            kek: match (&unwrapped, seen.context.has_kek) {
                (Some(_), _) => Presence::Present,
                // It is there, and it was not asked or has nothing to unwrap.
                (None, Presence::Present) => Presence::Unknown,
                (None, other) => other,
            },
            password: sealing::has_password(self.node, known),
            cache: copy,
        });
        seen.dek = match (unwrapped, cached) {
            (Some(dek), _) => Some(AccessibleDek {
                dek,
                unwrapped: true,
            }),
            (None, Some(dek)) => Some(AccessibleDek {
                dek,
                unwrapped: false,
            }),
            (None, None) => None,
        };
        seen.context.dek_cache_state = Some(cache_state(seen.dek.is_some()));
        if seen.dek.is_some() && seen.context.is_wizard_completed() {
            seen.warnings.extend(self.node.dek_cache.check()?);
        }
        Ok(())
    }

    /// The DEK of the cache, where it is the one that seals this database.
    fn cached_dek(&self, warnings: &mut Vec<String>) -> Result<(Option<Dek>, CacheCopy), Fault> {
        let path = self.node.dek_cache.path();
        let cached = self.node.dek_cache.read()?;
        let copy = sealing::copy_of(self.node, self.record.token.as_ref(), &cached);
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

    /// A wrapped DEK that is damaged is no reason to lose the one in the cache.
    fn advise(&self, fault: Fault, known: &TokenRecord, cache: CacheCopy) -> Fault {
        let ways = DekWays {
            kek: Presence::Absent,
            password: sealing::has_password(self.node, known),
            cache,
        };
        if fault.kind() == FaultKind::DataCorrupt && ways.is_in_cache_alone() {
            let hint = sealing::way_back(self.node, self.record, ways);
            return fault.advise(hint);
        }
        fault
    }

    /// Not to see a token is no proof that it is lost (C3); nor is not to see the KEK on it, since
    /// its directory may go while it is looked at.
    fn missed_token(&self, seen: &Observation) -> Option<String> {
        let known = self.record.token.as_ref()?;
        let label = &known.label;
        let missed = match &seen.token {
            None => format!(
                "the token {label:?} of this database (serial {}) is not there: no token with this label is shown",
                known.serial
            ),
            Some(token) if !known.serial.is_empty() && token.serial != known.serial => format!(
                "the token {label:?} of this database (serial {}) is not there: the token shown is \
                 another one (serial {})",
                known.serial, token.serial
            ),
            Some(token) if seen.context.has_kek == Presence::Absent => {
                let kek = known.kek.as_ref()?;
                format!(
                    "the token {label:?} (serial {}) is shown, and the KEK {kek} is not on it",
                    token.serial
                )
            }
            Some(_) => return None,
        };
        Some(format!(
            "{missed}. See first that its directory or device is whole, mounted and readable and \
             that hsm.token_label is right; when the old token is back, the node is ready without \
             a password"
        ))
    }

    /// Logs in, looks for the KEK and unwraps the DEK.
    fn ask(&self, token: &Token, known: &TokenRecord) -> Result<(Presence, Option<Dek>), Fault> {
        let Some(kek) = &known.kek else {
            return Ok((Presence::Absent, None));
        };
        let pin = self.node.pins.user_pin()?;
        self.node.hsm.login(token, &pin)?;
        if !self.node.hsm.has_kek(kek)? {
            return Ok((Presence::Absent, None));
        }
        let Some(blob) = &known.encrypted_dek else {
            return Ok((Presence::Present, None));
        };
        let dek = self.node.hsm.unwrap_dek(kek, blob)?;
        // What is stored of an unfinished setup has a check value too: it is stored with the DEK.
        sealing::refuse_contradiction(self.node, self.record, true, Some(&dek))?;
        Ok((Presence::Present, Some(dek)))
    }
}
