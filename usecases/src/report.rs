//! The report: what a command found and did, for people and for programs.

mod device;
pub mod own;
mod spelling;

use domain::{
    DekCacheState, KekState, Observed, Outcome, RestoreScenario, Selection, SetupWizardState,
    StartupScenario, Storage, StorageType, WizardState,
};
use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, FaultKind, NodeRecord, Sealing, TlsSource,
};
use serde::Serialize;
use time::OffsetDateTime;

pub use device::{DeviceReport, FoundToken};
use own::Own;
pub use spelling::{Moment, Name, Named, rfc3339};
use spelling::{as_rfc3339, by_name};

/// The report. The command line gives it its shape.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command.
    pub command: String,
    /// How it ended; `None` for a command that has no such outcome.
    pub outcome: Option<Outcome>,
    /// The first table's scenario.
    pub startup_scenario: Option<StartupScenario>,
    /// The second table's scenario.
    pub restore_scenario: Option<RestoreScenario>,
    /// What the scenario means.
    pub description: Option<String>,
    /// Versions.
    pub version: VersionReport,
    /// What was observed.
    pub context: Option<ContextReport>,
    /// The steps, in their order.
    pub steps: Vec<StepReport>,
    /// The token, where it was looked for and found.
    pub token: Option<FoundToken>,
    /// The TLS set that Nginx has.
    pub tls: Option<TlsReport>,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
    /// Why it failed or was refused.
    pub error: Option<ErrorReport>,
    /// The node at a glance, for people.
    pub summary: Option<Summary>,
    /// What only this command reports.
    pub own: Option<Own>,
    /// Whether the setup page is served next, for people.
    pub is_page_next: bool,
    /// Whether a start comes next, for people.
    pub is_start_next: bool,
}

/// What a person wants to know of a node at a glance.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Whether it has a database.
    pub has_database: bool,
    /// Its storage, where one is configured.
    pub storage: Option<StorageType>,
    /// The label of its token.
    pub token_label: Option<String>,
    /// Whether it has a DEK that is wrapped for no token, since those that were are forgotten.
    pub is_for_no_token: bool,
    /// What is known of its KEK.
    pub kek: KekState,
    /// Whether the wizard waits for the backup password already.
    pub is_waiting: bool,
    /// Whether its DEK is cached.
    pub is_dek_cached: bool,
    /// Whether a backup password can bring its DEK back.
    pub has_backup_password: bool,
    /// Since when, where that is known.
    pub backup_password_set_at: Option<OffsetDateTime>,
    /// Where its active certificate comes from.
    pub origin: Option<CredentialOrigin>,
    /// When the last backup was made, where the history knows of one.
    pub last_backup_at: Option<OffsetDateTime>,
}

impl Summary {
    /// Of what was observed and what the database says.
    #[must_use]
    pub fn of(observed: &Observed, record: Option<&NodeRecord>) -> Self {
        let ways = observed.sealing();
        let sealing = record.map(|record| &record.sealing);
        let token = sealing.and_then(Sealing::newest_copy);
        let backup = sealing.and_then(|sealing| sealing.backup.as_ref());
        let active = record.map(|record| &record.active_credential);
        Self {
            has_database: record.is_some(),
            storage: observed.storage().and_then(Storage::kind),
            token_label: token.map(|token| token.label.clone()),
            is_for_no_token: sealing
                .is_some_and(|sealing| sealing.is_sealed() && !sealing.is_wrapped()),
            kek: ways.map_or(KekState::Unknown, |ways| ways.kek),
            is_waiting: observed
                .wizard_file()
                .is_some_and(SetupWizardState::is_auto_restore),
            is_dek_cached: ways.is_some_and(|ways| ways.is_dek_cached()),
            has_backup_password: ways.is_some_and(|ways| ways.has_backup_password),
            backup_password_set_at: backup.and_then(|backup| backup.set_at),
            origin: match active {
                Some(ActiveCredential::Stored(stored)) => Some(stored.origin),
                _ => None,
            },
            last_backup_at: record.and_then(|record| record.last_backup_at),
        }
    }
}

/// The versions that a start compares.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionReport {
    /// The version that the last finished start recorded in the database; null where there is no
    /// database, or no start has finished on it.
    pub database: Option<String>,
    /// The version of the application that is started; null where the command failed before it
    /// was known.
    pub current: Option<String>,
}

/// What selection used.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContextReport {
    /// Whether there is a database.
    db_initialized: bool,
    /// What selection used: the state directory, and the database's mark that setup was completed.
    wizard_state: Name<WizardState>,
    /// The file in the wizard's state directory; null where it is empty.
    wizard_state_raw: Option<Name<SetupWizardState>>,
    /// The storage that the database has configured; null where none is, or nobody looked.
    pub storage_type: Option<Name<StorageType>>,
    /// Whether the DEK is accessible; null for a node that has none, or where nobody looked.
    dek_cache_state: Option<Name<DekCacheState>>,
    /// Whether the KEK is on the token; null where nobody looked, or nothing answered.
    has_kek: Option<bool>,
    /// Whether the database has the DEK wrapped with a backup password; null where nobody looked.
    has_backup_encrypted_dek: Option<bool>,
}

impl From<&Observed> for ContextReport {
    fn from(observed: &Observed) -> Self {
        let ways = observed.sealing();
        let storage = observed.storage().and_then(Storage::kind);
        Self {
            db_initialized: observed.database().is_some(),
            wizard_state: Name(observed.wizard_state()),
            wizard_state_raw: observed.wizard_file().map(Name),
            storage_type: storage.map(Name),
            dek_cache_state: ways.map(|ways| Name(ways.dek_cache_state())),
            has_kek: ways.and_then(|ways| ways.kek.is_on_token()),
            has_backup_encrypted_dek: match observed {
                Observed::Installed(_) => Some(ways.is_some_and(|ways| ways.has_backup_password)),
                Observed::NoDatabase { .. } | Observed::Newer(_) => None,
            },
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StepResult {
    /// It would be carried out.
    Planned,
    /// It changed something.
    Done,
    /// All was right already.
    Unchanged,
    /// It was not needed here.
    Skipped,
    /// It failed.
    Failed,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepReport {
    /// The name of the step, like `migrate_database`.
    pub step: String,
    /// What became of it.
    pub result: StepResult,
    /// More about it, for people.
    pub detail: String,
}

/// The TLS set that Nginx has.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TlsReport {
    /// Where it comes from: the active credential of the database, made by this start and saved,
    /// or made by a start and not saved; null where something else put it there.
    pub source: Option<Name<TlsSource>>,
    /// SHA-256 over the certificate's DER: uppercase hexadecimal, a colon between bytes.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = "^([0-9A-F]{2}:){31}[0-9A-F]{2}$"))
    )]
    pub sha256_fingerprint: String,
    /// End of the certificate's validity: RFC 3339, UTC.
    #[serde(serialize_with = "as_rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "Moment"))]
    pub not_after: OffsetDateTime,
}

impl TlsReport {
    /// Of a source and what its certificate says.
    #[must_use]
    pub fn new(source: Option<TlsSource>, facts: &CertificateFacts) -> Self {
        Self {
            source: source.map(Name),
            sha256_fingerprint: facts.sha256_fingerprint.clone(),
            not_after: facts.not_after,
        }
    }

    /// Whether it has ended, or will within the time that is warned about.
    #[must_use]
    pub fn ends_soon(&self, now: OffsetDateTime) -> bool {
        self.not_after - now < crate::credential::SOON
    }
}

/// A failure.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorReport {
    /// The kind of failure; docs/exit-codes.md has the exit code of each.
    #[serde(serialize_with = "by_name")]
    #[cfg_attr(feature = "schema", schemars(with = "Name<FaultKind>"))]
    pub kind: FaultKind,
    /// What failed, and where; for people.
    pub message: String,
    /// What to do next; for people.
    pub hint: String,
    /// Why, outermost first; for people.
    pub causes: Vec<String>,
}

impl Report {
    /// An empty report of a command that did its work.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            outcome: None,
            startup_scenario: None,
            restore_scenario: None,
            description: None,
            version: VersionReport::default(),
            context: None,
            steps: Vec::new(),
            token: None,
            tls: None,
            warnings: Vec::new(),
            error: None,
            summary: None,
            own: None,
            is_page_next: false,
            is_start_next: false,
        }
    }

    /// The same, ended by a failure.
    pub fn fail(&mut self, error: ErrorReport) {
        self.outcome = Some(outcome_of(error.kind));
        self.error = Some(error);
    }

    /// What was observed, and what has to be dealt with.
    pub fn set_observed(&mut self, observed: &Observed, warnings: &[String]) {
        self.context = Some(ContextReport::from(observed));
        self.warnings.extend_from_slice(warnings);
    }

    /// The node at a glance, and the version of its database.
    pub fn set_summary(&mut self, observed: &Observed, record: Option<&NodeRecord>) {
        let version = observed
            .database()
            .and_then(|database| database.version.as_ref());
        self.version.database = version.map(ToString::to_string);
        self.summary = Some(Summary::of(observed, record));
    }

    /// What was selected, and whether it is refused.
    pub fn set_selection(&mut self, selection: Selection, is_refused: bool) {
        self.startup_scenario = Some(selection.startup);
        self.description = Some(selection.startup.description().to_owned());
        let Some(restore) = selection.restore else {
            return;
        };
        self.restore_scenario = Some(restore);
        let refused = if is_refused {
            ". Here it is refused, and nothing is changed"
        } else {
            ""
        };
        self.description = Some(format!(
            "{}. {}{refused}",
            selection.startup.description(),
            restore.description()
        ));
    }
}

/// The outcome that a failure of this kind reports.
const fn outcome_of(kind: FaultKind) -> Outcome {
    match kind {
        FaultKind::VersionDowngrade | FaultKind::StorageUnsupported => Outcome::Refused,
        FaultKind::Usage
        | FaultKind::DataCorrupt
        | FaultKind::HsmUnavailable
        | FaultKind::DatabaseUnavailable
        | FaultKind::Internal
        | FaultKind::Io
        | FaultKind::Busy
        | FaultKind::Denied
        | FaultKind::Config => Outcome::Failed,
    }
}
