//! The report: what a command found and did, for people and for programs.

use domain::{KekState, Observed, Outcome, Selection, SetupWizardState, Storage, StorageType};
use ports::{
    ActiveCredential, CertificateFacts, CredentialOrigin, FaultKind, NodeRecord, TlsSource,
};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The report. The command line gives it its shape.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command.
    pub command: String,
    /// How it ended; `None` for a command that has no such outcome.
    pub outcome: Option<Outcome>,
    /// The first table's scenario.
    pub startup_scenario: Option<&'static str>,
    /// The second table's scenario.
    pub restore_scenario: Option<&'static str>,
    /// What the scenario means.
    pub description: Option<String>,
    /// Versions.
    pub version: VersionReport,
    /// What was observed.
    pub context: Option<ContextReport>,
    /// The steps, in their order.
    pub steps: Vec<StepReport>,
    /// The TLS set that Nginx has.
    pub tls: Option<TlsReport>,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
    /// Why it failed or was refused.
    pub error: Option<ErrorReport>,
    /// The node at a glance, for people.
    pub summary: Option<Summary>,
    /// What only this command reports.
    pub data: serde_json::Map<String, serde_json::Value>,
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
    /// What is known of its KEK.
    pub kek: KekState,
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
        let sealing = observed.sealing();
        let token = record.and_then(|record| record.token.as_ref());
        let active = record.map(|record| &record.active_credential);
        Self {
            has_database: record.is_some(),
            storage: observed.storage().and_then(Storage::kind),
            token_label: token.map(|token| token.label.clone()),
            kek: sealing.map_or(KekState::Unknown, |sealing| sealing.kek),
            is_dek_cached: sealing.is_some_and(|sealing| sealing.is_dek_cached()),
            has_backup_password: sealing.is_some_and(|sealing| sealing.has_backup_password),
            backup_password_set_at: token.and_then(|token| token.backup_password_set_at),
            origin: match active {
                Some(ActiveCredential::Stored(stored)) => Some(stored.origin),
                _ => None,
            },
            last_backup_at: record.and_then(|record| record.last_backup_at),
        }
    }
}

/// Both versions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VersionReport {
    /// The database's.
    pub database: Option<String>,
    /// This application's.
    pub current: Option<String>,
}

/// What selection used.
#[derive(Clone, Debug, Serialize)]
pub struct ContextReport {
    db_initialized: bool,
    wizard_state: &'static str,
    wizard_state_raw: Option<&'static str>,
    /// Name of the storage.
    pub storage_type: Option<&'static str>,
    dek_cache_state: Option<&'static str>,
    has_kek: Option<bool>,
    has_backup_encrypted_dek: Option<bool>,
}

impl From<&Observed> for ContextReport {
    fn from(observed: &Observed) -> Self {
        let sealing = observed.sealing();
        let storage = observed.storage().and_then(Storage::kind);
        Self {
            db_initialized: observed.database().is_some(),
            wizard_state: observed.wizard_state().name(),
            wizard_state_raw: observed.wizard_file().map(SetupWizardState::name),
            storage_type: storage.map(StorageType::name),
            dek_cache_state: sealing.map(|sealing| sealing.dek_cache_state().name()),
            has_kek: sealing.and_then(|sealing| sealing.kek.is_on_token()),
            has_backup_encrypted_dek: match observed {
                Observed::Installed(_) => {
                    Some(sealing.is_some_and(|sealing| sealing.has_backup_password))
                }
                Observed::NoDatabase { .. } | Observed::Newer(_) => None,
            },
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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
pub struct StepReport {
    /// Its name.
    pub step: String,
    /// What became of it.
    pub result: StepResult,
    /// More about it.
    pub detail: String,
}

/// The TLS set that Nginx has.
#[derive(Clone, Debug, Serialize)]
pub struct TlsReport {
    /// Where it comes from; null where something else put it there.
    pub source: Option<&'static str>,
    /// SHA-256 over the certificate's DER.
    pub sha256_fingerprint: String,
    /// End of its validity, RFC 3339.
    #[serde(serialize_with = "as_rfc3339")]
    pub not_after: OffsetDateTime,
}

impl TlsReport {
    /// Of a source and what its certificate says.
    #[must_use]
    pub fn new(source: Option<TlsSource>, facts: &CertificateFacts) -> Self {
        Self {
            source: source.map(TlsSource::name),
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
pub struct ErrorReport {
    /// Its kind.
    #[serde(serialize_with = "kind_name")]
    pub kind: FaultKind,
    /// What failed, and where.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// Why, outermost first.
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
            tls: None,
            warnings: Vec::new(),
            error: None,
            summary: None,
            data: serde_json::Map::new(),
        }
    }

    /// The same, ended by a failure.
    pub fn fail(&mut self, error: ErrorReport) {
        self.outcome = Some(outcome_of(error.kind));
        self.error = Some(error);
    }

    /// What was observed, and what has to be dealt with.
    pub fn set_observed(&mut self, observed: &Observed, warnings: &[String]) {
        let version = observed
            .database()
            .and_then(|database| database.version.as_ref());
        self.version.database = version.map(ToString::to_string);
        self.context = Some(ContextReport::from(observed));
        self.warnings.extend_from_slice(warnings);
    }

    /// What was selected.
    pub fn set_selection(&mut self, selection: Selection) {
        self.startup_scenario = Some(selection.startup.name());
        self.description = Some(selection.startup.description().to_owned());
        let Some(restore) = selection.restore else {
            return;
        };
        self.restore_scenario = Some(restore.name());
        self.description = Some(format!(
            "{}. {}",
            selection.startup.description(),
            restore.description()
        ));
    }
}

fn as_rfc3339<S: serde::Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*at).serialize(serializer)
}

fn kind_name<S: serde::Serializer>(kind: &FaultKind, serializer: S) -> Result<S::Ok, S::Error> {
    kind.name().serialize(serializer)
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

/// A time as RFC 3339 with seconds, UTC.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_else(|_| at.to_string())
}
