//! The report: what a command found and did, for people and for programs.

mod console;
mod progress;
mod visible;

use domain::{Outcome, Selection, SetupWizardState, StartupContext, StartupScenario};
use ports::{CertificateFacts, Fault, TlsSource};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use console::{Console, unwritten};
pub use progress::Progress;
pub use visible::{visible, visible_lines};

/// The report, in the shape of the command-line contract (`schema` 1).
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub schema: u32,
    /// The command.
    pub command: String,
    /// How it ended; null for a command that has no such outcome.
    pub outcome: Option<&'static str>,
    /// The exit code.
    pub exit_code: u8,
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
    /// What only this command reports.
    #[serde(flatten)]
    pub data: serde_json::Map<String, serde_json::Value>,
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

impl From<&StartupContext> for ContextReport {
    fn from(context: &StartupContext) -> Self {
        Self {
            db_initialized: context.db_initialized,
            wizard_state: context.wizard_state.name(),
            wizard_state_raw: context.wizard_state_raw.map(SetupWizardState::name),
            storage_type: context.storage_type.map(domain::StorageType::name),
            dek_cache_state: context.dek_cache_state.map(domain::DekCacheState::name),
            has_kek: context.has_kek.known(),
            has_backup_encrypted_dek: context.has_backup_encrypted_dek.known(),
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
    pub not_after: String,
}

impl TlsReport {
    /// Of a source and what its certificate says.
    #[must_use]
    pub fn new(source: Option<TlsSource>, facts: &CertificateFacts) -> Self {
        Self {
            source: source.map(TlsSource::name),
            sha256_fingerprint: facts.sha256_fingerprint.clone(),
            not_after: rfc3339(facts.not_after),
        }
    }
}

/// A failure.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorReport {
    /// Its kind.
    pub kind: &'static str,
    /// What failed, and where.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
}

impl From<&Fault> for ErrorReport {
    fn from(fault: &Fault) -> Self {
        Self {
            kind: fault.kind().name(),
            message: fault.to_string(),
            hint: fault.hint().to_owned(),
            causes: fault.causes(),
        }
    }
}

impl Report {
    /// An empty report of a command that did its work.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self {
            schema: 1,
            command: command.to_owned(),
            outcome: None,
            exit_code: crate::exit_code::SUCCESS,
            startup_scenario: None,
            restore_scenario: None,
            description: None,
            version: VersionReport::default(),
            context: None,
            steps: Vec::new(),
            tls: None,
            warnings: Vec::new(),
            error: None,
            data: serde_json::Map::new(),
        }
    }

    /// The same, ended by a failure.
    pub fn fail(&mut self, fault: &Fault) {
        self.outcome = Some(crate::exit_code::outcome_of(fault.kind()).name());
        self.exit_code = crate::exit_code::of_fault(fault.kind());
        self.error = Some(ErrorReport::from(fault));
    }

    /// What was observed.
    pub fn set_context(&mut self, context: &StartupContext) {
        self.version.database = context.db_version.as_ref().map(ToString::to_string);
        self.version.current = Some(context.current_version.to_string());
        self.context = Some(ContextReport::from(context));
    }

    /// What the database and its version are, also where nothing can be selected for the rest.
    pub fn set_startup(&mut self, startup: StartupScenario) {
        self.startup_scenario = Some(startup.name());
        self.description = Some(startup.description().to_owned());
    }

    /// What was selected.
    pub fn set_selection(&mut self, selection: Selection) {
        self.set_startup(selection.startup);
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

    /// How a start ended.
    pub fn set_outcome(&mut self, outcome: Outcome, require_ready: bool) {
        self.outcome = Some(outcome.name());
        self.exit_code = crate::exit_code::of_outcome(outcome, require_ready);
    }

    /// As one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            format!(
                r#"{{"schema":1,"exit_code":70,"error":{{"kind":"internal","message":"{error}"}}}}"#
            )
        })
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
