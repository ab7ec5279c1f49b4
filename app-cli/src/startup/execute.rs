//! Execute: the steps of a plan, one after the other.

use domain::{Outcome, Plan, Selection, SetupWizardState, Step, StorageType, TlsGoal};
use ports::{AssetReport, Fault, FaultKind, Migrated, StartRecord};

use super::note;
use super::observe::Observation;
use super::tls::TlsWork;
use crate::node::Node;
use crate::report::{Report, StepReport, StepResult, TlsReport};

/// A start that is being carried out.
pub struct Execution<'a> {
    node: &'a Node,
    observation: &'a Observation,
    selection: Selection,
    outcome: Outcome,
    /// What has to be dealt with.
    pub warnings: Vec<String>,
    /// The TLS set that Nginx was given.
    pub tls: Option<TlsReport>,
}

/// What became of a step, and more about it.
pub struct StepNote(pub StepResult, pub String);

impl StepNote {
    /// It changed something.
    pub fn done(detail: impl Into<String>) -> Self {
        Self(StepResult::Done, detail.into())
    }

    /// All was right already.
    pub fn unchanged(detail: impl Into<String>) -> Self {
        Self(StepResult::Unchanged, detail.into())
    }

    /// It was not needed here.
    pub fn skipped(detail: impl Into<String>) -> Self {
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

impl<'a> Execution<'a> {
    /// Of what was observed and selected.
    #[must_use]
    pub fn new(
        node: &'a Node,
        observation: &'a Observation,
        selection: Selection,
        outcome: Outcome,
    ) -> Self {
        Self {
            node,
            observation,
            selection,
            outcome,
            warnings: Vec::new(),
            tls: None,
        }
    }

    /// Carries out the steps in their order; the first that fails ends it.
    ///
    /// # Errors
    /// The failure of a step, which the report names.
    pub fn carry_out(
        &mut self,
        plan: &Plan,
        report: &mut Report,
        on_step: &mut dyn FnMut(&StepReport),
    ) -> Result<(), Fault> {
        for step in &plan.steps {
            let changes = changes_so_far(report);
            match self.carry_out_step(*step, &changes) {
                Ok(StepNote(result, detail)) => note(report, on_step, *step, result, detail),
                Err(fault) => {
                    note(
                        report,
                        on_step,
                        *step,
                        StepResult::Failed,
                        fault.to_string(),
                    );
                    self.take_back_dek(report);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    fn carry_out_step(&mut self, step: Step, changes: &str) -> Result<StepNote, Fault> {
        match step {
            Step::CheckHsm => Ok(self.check_hsm()),
            Step::SnapshotDatabase => self.snapshot_database(),
            Step::MigrateDatabase => self.migrate_database(),
            Step::CollectStaticFiles => {
                let assets = self.node.static_files.collect()?;
                Ok(self.assets(assets, "static files"))
            }
            Step::CompileMessages => {
                let assets = self.node.messages.compile()?;
                Ok(self.assets(assets, "message catalogues"))
            }
            Step::ConfigureStorage => {
                let created = self
                    .node
                    .database
                    .configure_storage(StorageType::Software)?;
                let detail = if created {
                    "SOFTWARE"
                } else {
                    "configured already"
                };
                Ok(StepNote::changed(created, detail))
            }
            Step::UnwrapDek => Ok(self.unwrap_dek()),
            Step::ProvideTls(goal) => self.provide_tls(goal),
            Step::CacheDek => self.cache_dek(),
            Step::DropDekCache => self.drop_dek_cache(),
            Step::SetWizard(state) => self.set_wizard(state),
            Step::AnnounceRecovery => Ok(announce_recovery()),
            Step::RecordStart => self.record_start(changes),
        }
    }

    /// The observation has reached it already, or there would be no plan; a second look could only
    /// tell what changes between two looks.
    fn check_hsm(&self) -> StepNote {
        let answered = self.observation.hsm.clone().unwrap_or_default();
        StepNote::unchanged(match &self.observation.token {
            Some(token) => {
                format!(
                    "{answered}; token {:?}, serial {}",
                    token.label, token.serial
                )
            }
            None => {
                format!("{answered}; no token {:?}", self.node.settings.token_label)
            }
        })
    }

    fn snapshot_database(&self) -> Result<StepNote, Fault> {
        Ok(match self.node.database.snapshot(self.node.clock.now())? {
            Some(made) if made.removed.is_empty() => StepNote::done(made.snapshot.path),
            Some(made) => StepNote::done(format!(
                "{}; removed for it: {}",
                made.snapshot.path,
                made.removed.join(", ")
            )),
            None => StepNote::unchanged("the newest snapshot is of this state"),
        })
    }

    fn migrate_database(&self) -> Result<StepNote, Fault> {
        Ok(match self.node.database.migrate()? {
            Migrated::Unchanged => StepNote::unchanged("no migration is pending"),
            Migrated::Applied(names) => StepNote::done(names.join(", ")),
        })
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

    fn unwrap_dek(&self) -> StepNote {
        match &self.observation.dek {
            Some(dek) if dek.unwrapped => StepNote::unchanged("the KEK unwraps the DEK: 32 bytes"),
            Some(_) | None => {
                StepNote::skipped("the KEK is not on the token; the DEK is the one in the cache")
            }
        }
    }

    fn provide_tls(&mut self, goal: TlsGoal) -> Result<StepNote, Fault> {
        let work = TlsWork {
            node: self.node,
            dek: self.observation.dek.as_ref().map(|dek| &dek.dek),
            sealed: self.observation.context.is_hsm_storage(),
        };
        let provided = work.provide(goal)?;
        self.warnings.extend(provided.warnings);
        self.tls = Some(TlsReport::new(provided.source, &provided.facts));
        Ok(StepNote::changed(provided.changed, provided.detail))
    }

    fn cache_dek(&self) -> Result<StepNote, Fault> {
        let Some(accessible) = &self.observation.dek else {
            return Err(Fault::new(
                FaultKind::Internal,
                "a plan caches a DEK that nobody has",
                "report this with the output of `trustpointctl --format json status`",
            ));
        };
        let written = self.node.dek_cache.write(&accessible.dek)?;
        Ok(StepNote::changed(written, self.node.dek_cache.path()))
    }

    /// A DEK that this start has cached is not left behind by a start that failed (C22).
    fn take_back_dek(&mut self, report: &Report) {
        let is_cached = report
            .steps
            .iter()
            .any(|step| step.step == Step::CacheDek.name() && step.result == StepResult::Done);
        let can_be_had_again = self
            .observation
            .dek
            .as_ref()
            .is_some_and(|dek| dek.unwrapped);
        if !(is_cached && can_be_had_again) {
            return;
        }
        if let Err(fault) = self.node.dek_cache.remove() {
            self.warnings.push(format!(
                "the DEK is left in the cache of a node that is not ready: {fault}"
            ));
        }
    }

    /// A DEK that only the cache has is kept: it may be the last copy. So is a file that was not
    /// trusted, as long as nothing else gives the DEK.
    fn drop_dek_cache(&mut self) -> Result<StepNote, Fault> {
        let only_copy = match &self.observation.dek {
            Some(dek) => !dek.unwrapped,
            None => self.observation.cache_refused,
        };
        if only_copy {
            let kept = format!(
                "{} is kept: it may hold the last copy of the DEK",
                self.node.dek_cache.path()
            );
            return Ok(StepNote::skipped(kept));
        }
        let removed = self.node.dek_cache.remove()?;
        let detail = if removed {
            self.node.dek_cache.path()
        } else {
            "nothing is cached".into()
        };
        Ok(StepNote::changed(removed, detail))
    }

    fn set_wizard(&mut self, state: SetupWizardState) -> Result<StepNote, Fault> {
        let before = self.observation.context.wizard_state_raw;
        match state {
            SetupWizardState::SetupCryptoStorage => self.forget_setup(before)?,
            SetupWizardState::Completed => {
                self.node
                    .database
                    .mark_setup_completed(self.node.clock.now())?;
            }
            _ => {}
        }
        let moved = self.node.wizard.go_to(state)?;
        let detail = match before {
            Some(before) if moved => format!("{state} (was {before})"),
            None if moved => format!("{state} (the directory was empty)"),
            Some(_) | None => state.to_string(),
        };
        if moved && state == SetupWizardState::Completed {
            self.node.output.info(&repair_line(before));
        }
        Ok(StepNote::changed(moved, detail))
    }

    /// Setup begins again; a mark left standing would turn it into a completed node at the next
    /// start. Without a database there is none.
    fn forget_setup(&mut self, before: Option<SetupWizardState>) -> Result<(), Fault> {
        let is_new = self.observation.record.is_none();
        if !is_new && self.node.database.clear_setup_mark()? {
            self.warnings.push(format!(
                "the database remembered a completed setup, but the wizard state {} says that \
                 setup is not finished: it begins again, and the database forgets; if this node \
                 was set up, see who changed the state",
                before.map_or("(none)", SetupWizardState::name)
            ));
        }
        Ok(())
    }

    fn record_start(&self, changes: &str) -> Result<StepNote, Fault> {
        let settings = &self.node.settings;
        self.node.database.record_start(&StartRecord {
            version: settings.app_version.to_string(),
            container_id: settings.container_id.clone(),
            at: self.node.clock.now(),
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

fn repair_line(before: Option<SetupWizardState>) -> String {
    match before {
        Some(state) if state.is_auto_restore() => {
            format!("the DEK is accessible again: the wizard goes from {state} to WIZARD_COMPLETED")
        }
        Some(_) | None => "the database remembers that setup was completed: the wizard state of \
                           this new container is repaired to WIZARD_COMPLETED"
            .to_owned(),
    }
}

fn announce_recovery() -> StepNote {
    StepNote::unchanged(
        "`trustpointctl recover` with the backup password will (1) generate a new KEK on the \
         token, (2) unwrap the DEK with the password, (3) wrap the DEK with the new KEK, (4) \
         give Nginx the real TLS credential and complete the wizard",
    )
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
