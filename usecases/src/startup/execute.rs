//! Execute: the steps of a plan, one after the other.

use domain::{
    CacheEvent, CacheFate, Outcome, Plan, Selection, SetupWizardState, Step, StorageType, TlsGoal,
};
use ports::{AssetReport, Migrated, Purpose, StartRecord};

use super::open_token::Observation;
use crate::error::Error;
use crate::node::Node;
use crate::recorder::{self, Recorder};
use crate::refused::Refused;
use crate::report::{Report, StepResult, TlsReport};

/// Carries out the steps in their order; the first that fails ends it.
///
/// # Errors
/// The failure of a step, which the report names.
pub(super) fn execute(
    recorder: &mut Recorder<'_>,
    seen: &Observation,
    selection: Selection,
    plan: &Plan,
) -> Result<(), Error> {
    let mut execution = Execution {
        node: recorder.node,
        observation: seen,
        selection,
        outcome: plan.outcome,
        warnings: Vec::new(),
        tls: None,
    };
    let done = execution.carry_out(plan, recorder);
    recorder.report.warnings.append(&mut execution.warnings);
    recorder.report.tls = execution.tls.take();
    done
}

/// A start that is being carried out.
struct Execution<'a> {
    node: &'a Node,
    observation: &'a Observation,
    selection: Selection,
    outcome: Outcome,
    /// What has to be dealt with.
    warnings: Vec<String>,
    /// The TLS set that Nginx was given.
    tls: Option<TlsReport>,
}

/// What became of a step, and more about it.
struct StepNote(StepResult, String);

impl StepNote {
    /// It changed something.
    fn done(detail: impl Into<String>) -> Self {
        Self(StepResult::Done, detail.into())
    }

    /// All was right already.
    fn unchanged(detail: impl Into<String>) -> Self {
        Self(StepResult::Unchanged, detail.into())
    }

    /// It was not needed here.
    fn skipped(detail: impl Into<String>) -> Self {
        Self(StepResult::Skipped, detail.into())
    }

    fn changed(changed: bool, detail: impl Into<String>) -> Self {
        if changed {
            Self::done(detail)
        } else {
            Self::unchanged(detail)
        }
    }
}

impl Execution<'_> {
    fn carry_out(&mut self, plan: &Plan, recorder: &mut Recorder<'_>) -> Result<(), Error> {
        for step in &plan.steps {
            let changes = changes_so_far(recorder.report);
            match self.carry_out_step(*step, &changes) {
                Ok(StepNote(result, detail)) => recorder.push(step.name(), result, &detail),
                Err(fault) => {
                    recorder.push(step.name(), StepResult::Failed, &fault.to_string());
                    self.take_back_dek(recorder.report);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    fn carry_out_step(&mut self, step: Step, changes: &str) -> Result<StepNote, Error> {
        match step {
            Step::SnapshotDatabase => self.snapshot_database(),
            Step::MigrateDatabase => self.migrate_database(),
            Step::CollectStaticFiles => {
                let assets = self.node.web.static_files.collect()?;
                Ok(self.assets(assets, "static files"))
            }
            Step::CompileMessages => {
                let assets = self.node.web.messages.compile()?;
                Ok(self.assets(assets, "message catalogues"))
            }
            Step::ConfigureStorage => self.configure_storage(),
            Step::ProvideTls(goal) => self.provide_tls(goal),
            Step::CacheDek => self.cache_dek(),
            Step::DropDekCache => self.drop_dek_cache(),
            Step::KeepDekCache => self.keep_dek_cache(),
            Step::SetWizard(state) => self.set_wizard(state),
            Step::AnnounceRecovery => Ok(self.announce_recovery()),
            Step::RecordStart => self.record_start(changes),
        }
    }

    fn snapshot_database(&self) -> Result<StepNote, Error> {
        Ok(
            match self
                .node
                .store
                .backups
                .snapshot(Purpose::BeforeUpgrade, self.node.host.clock.now())?
            {
                made if !made.is_new => StepNote::unchanged("the newest snapshot is of this state"),
                made if made.removed.is_empty() => StepNote::done(made.snapshot.path),
                made => StepNote::done(format!(
                    "{}; removed for it: {}",
                    made.snapshot.path,
                    made.removed.join(", ")
                )),
            },
        )
    }

    fn migrate_database(&self) -> Result<StepNote, Error> {
        Ok(match self.node.store.record.migrate()? {
            Migrated::Unchanged => StepNote::unchanged("no migration is pending"),
            Migrated::Applied(names) => StepNote::done(names.join(", ")),
        })
    }

    /// A setup that was cut short may have configured another one.
    fn configure_storage(&self) -> Result<StepNote, Error> {
        let software = StorageType::Software;
        let is_new = self.node.store.record.configure_storage(software)?;
        let detail = if is_new {
            "software, until setup chooses"
        } else {
            "configured already"
        };
        Ok(StepNote::changed(is_new, detail))
    }

    fn assets(&mut self, assets: AssetReport, what: &str) -> StepNote {
        self.warnings.extend(assets.warnings);
        if assets.nothing_configured {
            return StepNote::skipped(format!("no {what} are configured"));
        }
        let detail = format!(
            "{} written, {} right already",
            assets.written, assets.unchanged
        );
        StepNote::changed(assets.written > 0, detail)
    }

    fn provide_tls(&mut self, goal: TlsGoal) -> Result<StepNote, Error> {
        let provided = self.observation.tls_provider(self.node).provide(goal)?;
        self.warnings.extend(provided.warnings);
        self.tls = Some(TlsReport::new(provided.source, &provided.facts));
        Ok(StepNote::changed(provided.changed, provided.detail))
    }

    fn cache_dek(&self) -> Result<StepNote, Error> {
        let Some(accessible) = &self.observation.dek else {
            let what = "a plan caches a DEK that nobody has";
            return Err(Refused::Defect { what }.into());
        };
        let written = self.node.secrets.cache.write(&accessible.dek)?;
        Ok(StepNote::changed(written, self.node.secrets.cache.path()))
    }

    /// A DEK that this start has cached is not left behind by a start that failed (C22).
    fn take_back_dek(&mut self, report: &Report) {
        let is_cached = report
            .steps
            .iter()
            .any(|step| step.step == Step::CacheDek.name() && step.result == StepResult::Done);
        if !is_cached || !self.may_drop_dek() {
            return;
        }
        if let Err(fault) = self.node.secrets.cache.remove() {
            self.warnings.push(format!(
                "the DEK is left in the cache of a node that is not ready: {fault}"
            ));
        }
    }

    /// Whether the KEK gives it again, so that nothing is lost with the cached one.
    fn may_drop_dek(&self) -> bool {
        let sealing = self.observation.observed.sealing();
        sealing.is_none_or(|sealing| sealing.fate(CacheEvent::NotReady) == CacheFate::Drop)
    }

    fn keep_dek_cache(&self) -> Result<StepNote, Error> {
        if !self.node.secrets.cache.exists()? {
            return Ok(StepNote::unchanged("nothing is cached"));
        }
        Ok(StepNote::skipped(format!(
            "{} is kept: it may hold the last copy of the DEK",
            self.node.secrets.cache.path()
        )))
    }

    fn drop_dek_cache(&self) -> Result<StepNote, Error> {
        let removed = self.node.secrets.cache.remove()?;
        let detail = if removed {
            self.node.secrets.cache.path()
        } else {
            "nothing is cached".into()
        };
        Ok(StepNote::changed(removed, detail))
    }

    fn set_wizard(&self, state: SetupWizardState) -> Result<StepNote, Error> {
        let before = self.observation.observed.wizard_file();
        let database = self.observation.observed.database();
        let is_marked = database.is_some_and(|database| database.wizard.is_marked);
        let moved = match state {
            SetupWizardState::Completed => recorder::complete(self.node, is_marked)?,
            _ => self.node.host.wizard.go_to(state)?,
        };
        let stray = self.observation.stray.as_deref();
        let detail = match before.map(SetupWizardState::name).or(stray) {
            Some(before) if moved => format!("{state} (was {before})"),
            None if moved => format!("{state} (the directory was empty)"),
            Some(_) | None => state.to_string(),
        };
        if let Some(before) = before.filter(|before| before.is_auto_restore())
            && moved
            && state == SetupWizardState::Completed
        {
            self.node.host.output.info(&format!(
                "the DEK is accessible again: the wizard goes from {before} to {state}"
            ));
        }
        Ok(StepNote::changed(moved, detail))
    }

    fn announce_recovery(&self) -> StepNote {
        // Of a SoftHSM token that is missing `recover` makes a new one.
        let first = if self.observation.observed.is_physical_hsm_storage() {
            ". A new device is first initialised, and given its user PIN, by its security officer"
        } else {
            ""
        };
        StepNote::unchanged(format!(
            "`trustpointctl recover` will (1) unwrap the DEK with the backup password, before \
             anything is changed, (2) generate a new KEK on the token, (3) wrap the DEK with it, \
             (4) give Nginx the real TLS credential and complete the wizard{first}"
        ))
    }

    fn record_start(&self, changes: &str) -> Result<StepNote, Error> {
        let settings = &self.node.settings;
        self.node.store.history.record_start(&StartRecord {
            version: settings.app_version.to_string(),
            container_id: settings.container_id.clone(),
            node: settings.node_id.clone(),
            user_id: settings.user_id,
            at: self.node.host.clock.now(),
            startup_scenario: self.selection.startup.name().to_owned(),
            restore_scenario: self
                .selection
                .restore
                .map(|restore| restore.name().to_owned()),
            outcome: self.outcome.name().to_owned(),
            changes: changes.to_owned(),
        })?;
        Ok(StepNote::done(format!(
            "version {}, container {}",
            settings.app_version, settings.container_id
        )))
    }
}

/// Names of the steps that changed something, for the history.
fn changes_so_far(report: &Report) -> String {
    let names = report
        .steps
        .iter()
        .filter(|step| step.result == StepResult::Done);
    names
        .map(|step| step.step.as_str())
        .collect::<Vec<_>>()
        .join(",")
}
