//! Open the token: reach it, log in, unwrap the DEK, so that all is known that the decision needs.
//! One login at most; it may wait for the HSM. Nothing is changed but the ledger of PIN tries.

use std::time::Duration;

use domain::{DekWays, Installed, KekState, Observed, SetupWizardState, Storage, StorageType};
use ports::{
    ActiveCredential, Dek, FaultKind, Found, NodeRecord, PinState, Sealing, Token, TokenCopy,
    TokenInfo,
};

use super::look::{self, Look, look};
use super::tls::TlsProvider;
use super::traces;
use crate::dek_ways;
use crate::error::Error;
use crate::node::Node;
use crate::refused::CacheAlone;
use crate::session::{self, Unwrapped};
use crate::storage;

/// What a start is to do: how long it waits for the HSM, and whether it logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A start: waits for the HSM and logs in.
    CarryOut,
    /// `--dry-run`: waits as the start would, logs in only where the DEK is not cached.
    DryRun,
    /// `status`: one try, logs in only where the DEK is not cached.
    Status,
}

impl Mode {
    fn wait(self, node: &Node) -> Duration {
        match self {
            Self::CarryOut | Self::DryRun => node.settings.hsm_wait,
            Self::Status => Duration::ZERO,
        }
    }
}

/// What was seen of the node.
pub struct Observation {
    /// The input of the decision.
    pub observed: Observed,
    /// What the database says, where there is one.
    pub record: Option<NodeRecord>,
    /// The DEK, where it is accessible.
    pub dek: Option<AccessibleDek>,
    /// The token, where one was looked for and seen.
    pub token: Option<TokenInfo>,
    /// The name of a file that is no state, in the place of the wizard's state.
    pub stray: Option<String>,
    /// What answered of the HSM, for the report.
    pub hsm: Option<String>,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
}

impl Observation {
    /// With nothing else seen yet.
    fn of(observed: Observed) -> Self {
        Self {
            observed,
            record: None,
            dek: None,
            token: None,
            stray: None,
            hsm: None,
            warnings: Vec::new(),
        }
    }
}

impl Observation {
    /// The work on the TLS set of the node that was seen.
    pub fn tls_provider<'a>(&'a self, node: &'a Node) -> TlsProvider<'a> {
        let record = self.record.as_ref();
        TlsProvider {
            node,
            dek: self.dek.as_ref().map(|dek| &dek.dek),
            sealed: self.observed.is_hsm_storage(),
            stored: record.map_or(&ActiveCredential::None, |record| &record.active_credential),
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

/// Looks at the node and opens its token.
///
/// # Errors
/// What the look at the node or at its token could not find out.
pub fn observe(node: &Node, mode: Mode, accept_new: bool) -> Result<Observation, Error> {
    open_token(node, look(node)?, mode, accept_new)
}

/// Asks the token for what the files and the database leave open.
///
/// # Errors
/// Whatever cannot be known for sure: an unreachable token, a PIN that is refused, a database that
/// is missing where one stood before.
pub fn open_token(
    node: &Node,
    look: Look,
    mode: Mode,
    accept_new: bool,
) -> Result<Observation, Error> {
    match look {
        Look::NoDatabase { wizard } => no_database(node, wizard, mode, accept_new),
        Look::Newer(database, record) => {
            let mut observation = Observation::of(Observed::Newer(database));
            observation.record = Some(*record);
            Ok(observation)
        }
        Look::Installed(installed) => open_installed(node, *installed, mode),
    }
}

fn no_database(
    node: &Node,
    wizard: Option<SetupWizardState>,
    mode: Mode,
    accept_new: bool,
) -> Result<Observation, Error> {
    let mut observation = Observation::of(Observed::NoDatabase { wizard });
    let wait = if node.settings.hsm_configured {
        mode.wait(node)
    } else {
        Duration::ZERO
    };
    let found = traces::find(node, wizard, wait, &mut observation.warnings)?;
    if let Some(warning) = traces::ensure_none(node, &found, accept_new)? {
        observation.warnings.push(warning);
    }
    Ok(observation)
}

fn open_installed(node: &Node, seen: look::Installed, mode: Mode) -> Result<Observation, Error> {
    let sealing = &seen.record.sealing;
    let unasked = DekWays {
        kek: KekState::Unknown,
        has_backup_password: dek_ways::has_password(node, sealing),
        cache: seen.cache,
    };
    let ask_token = |storage: fn(DekWays) -> Storage| -> Result<_, Error> {
        let sealed = SealedNode {
            node,
            seen: &seen,
            mode,
        };
        let answer = sealed.open(unasked)?;
        let kek = answer.kek;
        Ok((storage(DekWays { kek, ..unasked }), answer))
    };
    let (storage, answer) = match seen.record.storage {
        kind if storage::is_refused(node, kind) => {
            let storage = Storage::RefusedHsm {
                is_cached: node.secrets.cache.exists()?,
                has_backup_password: unasked.has_backup_password,
            };
            (storage, Answer::default())
        }
        None => {
            let knows_token = !sealing.copies.is_empty() || sealing.is_sealed();
            (Storage::NotConfigured { knows_token }, Answer::default())
        }
        Some(StorageType::Software) => (Storage::Software, Answer::default()),
        Some(StorageType::SoftHsm) => ask_token(Storage::SoftHsm)?,
        Some(StorageType::PhysicalHsm) => ask_token(Storage::PhysicalHsm)?,
    };
    let unwrapped = answer.dek.map(|dek| AccessibleDek {
        dek,
        unwrapped: true,
    });
    let cached = seen.cached.map(|dek| AccessibleDek {
        dek,
        unwrapped: false,
    });
    let mut observation = Observation {
        observed: Observed::Installed(Installed {
            database: seen.database,
            storage,
        }),
        record: Some(seen.record),
        dek: unwrapped.or(cached),
        token: answer.token,
        stray: seen.stray,
        hsm: answer.hsm,
        warnings: [seen.warnings, answer.warnings].concat(),
    };
    if observation.dek.is_some() && observation.observed.is_wizard_completed() {
        observation.warnings.extend(node.secrets.cache.check()?);
    }
    Ok(observation)
}

/// What the token answered.
struct Answer {
    kek: KekState,
    dek: Option<Dek>,
    token: Option<TokenInfo>,
    hsm: Option<String>,
    warnings: Vec<String>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            kek: KekState::Unknown,
            dek: None,
            token: None,
            hsm: None,
            warnings: Vec::new(),
        }
    }
}

/// A node whose DEK a token wraps.
struct SealedNode<'a> {
    node: &'a Node,
    seen: &'a look::Installed,
    mode: Mode,
}

impl SealedNode<'_> {
    fn open(&self, unasked: DekWays) -> Result<Answer, Error> {
        let record = &self.seen.record;
        let seen = session::find(self.node, self.mode.wait(self.node), Some(record))?;
        let mut answer = Answer {
            hsm: Some(seen.hsm),
            ..Answer::default()
        };
        match seen.found {
            Found::Absent { .. } => answer.kek = KekState::Absent,
            Found::Present(token) => {
                let info = token.info().clone();
                if info.pin == PinState::CountLow {
                    answer.warnings.push(format!(
                        "wrong PINs were tried on the token {:?} (serial {}): its tries run low",
                        info.label, info.serial
                    ));
                }
                // A token that was just initialised holds no key, whatever it held before.
                let is_blank = info.pin == PinState::NotInitialised;
                if is_blank || record.sealing.copies.is_empty() {
                    answer.kek = KekState::Absent;
                } else if self.mode != Mode::CarryOut && self.seen.cached.is_some() {
                    let copy = record.sealing.copy_of(&info.serial);
                    dek_ways::ensure_consistent(self.node, record, true, copy, None)?;
                } else {
                    (answer.kek, answer.dek) = self
                        .unwrap_dek(token)
                        .map_err(|fault| self.with_way_back(fault, unasked))?;
                }
                answer.token = Some(info);
            }
        }
        answer.warnings.extend(self.warn_of_missing_token(&answer));
        Ok(answer)
    }

    /// A wrapped DEK that is damaged is no reason to lose the one in the cache.
    fn with_way_back(&self, fault: Error, unasked: DekWays) -> Error {
        let ways = DekWays {
            kek: KekState::Absent,
            ..unasked
        };
        if fault.kind() == FaultKind::DataCorrupt && ways.is_in_cache_alone() {
            let way_back = dek_ways::way_back(self.node, &self.seen.record, ways);
            return CacheAlone::refused(fault, way_back).into();
        }
        fault
    }

    /// Not to see a token is no proof that it is lost (C3); nor is not to see the KEK on it, since
    /// its directory may go while it is looked at.
    fn warn_of_missing_token(&self, answer: &Answer) -> Option<String> {
        let sealing = &self.seen.record.sealing;
        let none_is_there = none_is_there(sealing)?;
        let is_opened = matches!(answer.kek, KekState::Unwraps | KekState::OnToken);
        let missed = match &answer.token {
            None => format!("{none_is_there}: no token with this label is shown"),
            Some(_) if is_opened => return None,
            Some(token) => match sealing.copy_of(&token.serial) {
                None => format!(
                    "{none_is_there}: the token shown is another one (serial {})",
                    token.serial
                ),
                Some(_) if answer.kek == KekState::Unknown => return None,
                Some(copy) => {
                    let kek = copy.kek.as_ref()?;
                    format!(
                        "the token {:?} (serial {}) is shown, and the KEK {kek} is not on it",
                        token.label, token.serial
                    )
                }
            },
        };
        let is_new = if self.node.store.is_shared() && sealing.backup.is_some() {
            ". A node that is new to this database has none yet, and `trustpointctl recover` sees to it"
        } else {
            ""
        };
        Some(format!(
            "{missed}. See first that its directory or device is whole, mounted and readable and \
             that hsm.token_label is right; when the old token is back, the node is ready without \
             a password{is_new}"
        ))
    }

    /// Logs in, looks for the KEK and unwraps the DEK.
    fn unwrap_dek(&self, token: Box<dyn Token>) -> Result<(KekState, Option<Dek>), Error> {
        let record = &self.seen.record;
        let has_kek = |copy: &TokenCopy| copy.kek.is_some() || copy.wrapped.is_some();
        if !record.sealing.copies.iter().any(has_kek) {
            return Ok((KekState::Absent, None));
        }
        let session = token.log_in(&self.node.secrets.pins.user_pin()?)?;
        let Some(copy) = session::copy_for(self.node, &*session, &record.sealing)? else {
            return Ok((KekState::Absent, None));
        };
        // What is stored of an unfinished setup has a check value too: it is stored with the DEK.
        let ensure_consistent = |dek: Option<&Dek>| {
            let is_wrapped = copy.wrapped.is_some();
            dek_ways::ensure_consistent(self.node, record, is_wrapped, Some(copy), dek)
        };
        ensure_consistent(None)?;
        match session::unwrap(&*session, copy)? {
            Unwrapped::NoKek => Ok((KekState::Absent, None)),
            Unwrapped::NothingWrapped => Ok((KekState::OnToken, None)),
            Unwrapped::Damaged(fault) => Err(fault),
            Unwrapped::Dek(dek) => {
                ensure_consistent(Some(&dek))?;
                Ok((KekState::Unwraps, Some(dek)))
            }
        }
    }
}

/// Says that no token of this database is there; `None` where it knows of none.
fn none_is_there(sealing: &Sealing) -> Option<String> {
    match sealing.copies.as_slice() {
        [] => None,
        [TokenCopy { label, serial, .. }] => Some(format!(
            "the token {label:?} of this database (serial {serial}) is not there"
        )),
        several => {
            let name = |copy: &TokenCopy| format!("{:?} (serial {})", copy.label, copy.serial);
            let names: Vec<_> = several.iter().map(name).collect();
            Some(format!(
                "none of the tokens of this database is there, which are {}",
                names.join(", ")
            ))
        }
    }
}
