//! The main job. One start reads top to bottom in [`run`]: lock, observe, select, plan, execute,
//! record, report.

mod execute;
mod observe;
mod preflight;
mod tls;

#[cfg(test)]
mod tests;

use std::time::Duration;

use camino::Utf8Path;
use domain::{Plan, Refusal, SelectionError, Step, select, select_startup};
use ports::{Fault, FaultKind, PlaceFacts};

pub use execute::Execution;
pub use observe::{Depth, Observation, observe, recorded_version};
pub use tls::{Active, TlsWork, problem, remedy, unusable};

use crate::node::Node;
use crate::report::{Report, StepReport, StepResult};

/// What a start may do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How far it looks.
    pub depth: Depth,
    /// Whether only a ready node is a success.
    pub require_ready: bool,
    /// How long to wait for another start.
    pub lock_wait: Duration,
    /// Whether a new database may be made beside traces of an installed node.
    pub accept_new_database: bool,
}

/// Runs a start, or shows what it would do, and fills in the report.
///
/// `on_step` hears of each step as it ends.
///
/// # Errors
/// Why the start was refused or failed; the report has what was seen and done until then.
pub fn run(
    node: &Node,
    options: Options,
    report: &mut Report,
    on_step: &mut dyn FnMut(&StepReport),
) -> Result<(), Fault> {
    report.version.current = Some(node.settings.app_version.to_string());
    let _lock = match options.depth {
        Depth::Start => Some(lock(node, options.lock_wait)?),
        Depth::DryRun | Depth::Status => {
            refuse_open_to_all(node)?;
            None
        }
    };
    // Observed after the lock is held: the start that had it may have changed everything.
    let observation = observe(node, options.depth, options.accept_new_database)?;
    report.set_context(&observation.context);
    report.warnings.extend(observation.warnings.iter().cloned());

    report.set_startup(select_startup(&observation.context));
    observe::refuse_lost_storage(node, &observation)?;
    let selection = select(&observation.context).map_err(|error| selection_fault(node, error))?;
    report.set_selection(selection);
    node.output.info(&announce(report));

    let plan = Plan::of(&observation.context, selection)
        .map_err(|refusal| refusal_fault(node, &observation, refusal))?;
    report.set_outcome(plan.outcome, options.require_ready);
    report.warnings.extend(standing_warnings(&observation));
    // Before the steps and not among them: what a start would fail with, a dry run and `status`
    // say as well.
    preflight::check(node, &observation, &plan, options.depth)?;

    if options.depth == Depth::Start {
        let mut execution = Execution::new(node, &observation, selection, plan.outcome);
        let done = execution.carry_out(&plan, report, on_step);
        report.warnings.append(&mut execution.warnings);
        report.tls = execution.tls.take();
        return done;
    }
    for step in &plan.steps {
        note(
            report,
            on_step,
            *step,
            StepResult::Planned,
            step.intent().to_owned(),
        );
    }
    report.tls = tls::standing(node)?;
    Ok(())
}

/// Takes the lock of the data volume, which comes before every change.
///
/// # Errors
/// [`FaultKind::Busy`] where another start keeps it; [`FaultKind::Config`] for a directory in which
/// every user may replace files.
pub fn lock(node: &Node, wait: Duration) -> Result<Box<dyn ports::StartLockGuard>, Fault> {
    refuse_open_to_all(node)?;
    node.lock.acquire(wait, &mut || {
        node.output.info("waiting for another start to end")
    })
}

/// Another user could put a file of his own in the place of the DEK, of a key or of the database.
fn refuse_open_to_all(node: &Node) -> Result<(), Fault> {
    let parent = |path: &str| {
        let parent = Utf8Path::new(path).parent().map_or(".", Utf8Path::as_str);
        if parent.is_empty() { "." } else { parent }.to_owned()
    };
    for directory in [
        parent(&node.dek_cache.path()),
        parent(&node.settings.database_path),
        node.tls.directory(),
        node.wizard.directory(),
    ] {
        let facts = node.places.look(&directory)?;
        if let Some(facts) = facts.filter(PlaceFacts::is_open_to_all) {
            return Err(Fault::new(
                FaultKind::Config,
                format!(
                    "every user may replace files in the directory {directory} (its mode is {:04o})",
                    facts.mode
                ),
                format!(
                    "chmod o-w {directory}, or configure a directory of this program's own; \
                     nothing was changed"
                ),
            ));
        }
    }
    Ok(())
}

fn note(
    report: &mut Report,
    on_step: &mut dyn FnMut(&StepReport),
    step: Step,
    result: StepResult,
    detail: String,
) {
    let step = StepReport {
        step: step.name().to_owned(),
        result,
        detail,
    };
    on_step(&step);
    report.steps.push(step);
}

fn announce(report: &Report) -> String {
    let names = [report.startup_scenario, report.restore_scenario];
    let names: Vec<_> = names.into_iter().flatten().collect();
    format!(
        "{}: {}",
        names.join(", "),
        report.description.as_deref().unwrap_or_default()
    )
}

fn selection_fault(node: &Node, error: SelectionError) -> Fault {
    match error {
        SelectionError::UnexpectedStorage => unexpected_storage(node),
        SelectionError::Incomplete(_) => Fault::new(
            FaultKind::Internal,
            "the observation left out what the selection needs",
            "report this with the output of `trustpointctl --format json status`",
        )
        .because(error),
    }
}

/// The database has no storage configuration where it must have one.
fn unexpected_storage(node: &Node) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!(
            "Unexpected storage configuration: {} names no storage",
            node.settings.database_path
        ),
        "restore a backup or snapshot of the database; the storage is the one row of \
         key_storage_config",
    )
}

fn refusal_fault(node: &Node, observation: &Observation, refusal: Refusal) -> Fault {
    match refusal {
        Refusal::PhysicalHsm => Fault::new(
            FaultKind::StorageUnsupported,
            refusal.to_string(),
            "restore a backup of a node with SOFTWARE or SOFTHSM storage; nothing was changed",
        ),
        Refusal::Downgrade => downgrade_fault(node, observation),
    }
}

/// Names the snapshots that would fit this binary.
fn downgrade_fault(node: &Node, observation: &Observation) -> Fault {
    let context = &observation.context;
    let database = context
        .db_version
        .as_ref()
        .map_or("unknown".to_owned(), ToString::to_string);
    let why = match context.schema {
        domain::SchemaState::Newer => " and has migrations that this program does not know",
        domain::SchemaState::Diverged => " and its migrations differ from this program's",
        domain::SchemaState::Current | domain::SchemaState::Behind => "",
    };
    let message = format!(
        "the database {} is of version {database}{why}; this program is of version {}",
        node.settings.database_path, context.current_version
    );
    let fitting = match node.database.snapshots() {
        Ok(snapshots) => snapshots
            .into_iter()
            .filter(|snapshot| {
                snapshot
                    .version
                    .as_deref()
                    .and_then(|text| text.parse::<domain::Version>().ok())
                    .is_some_and(|version| context.current_version.precedence(&version).is_ge())
            })
            .map(|snapshot| snapshot.path)
            .collect::<Vec<_>>(),
        Err(fault) => vec![format!("(the snapshots cannot be listed: {fault})")],
    };
    let hint = if fitting.is_empty() {
        "run the newer program again; no snapshot fits this one".to_owned()
    } else {
        format!(
            "run the newer program again, or put a snapshot that fits this one in the database's \
             place: {}",
            fitting.join(", ")
        )
    };
    Fault::new(FaultKind::VersionDowngrade, message, hint)
}

/// Warnings that every start repeats until they are dealt with.
fn standing_warnings(observation: &Observation) -> Vec<String> {
    let context = &observation.context;
    let mut warnings = Vec::new();
    if context.is_software_storage() && context.is_wizard_completed() {
        warnings.push(
            "software storage: private keys stand in the database in the clear; guard it and its \
             backups"
                .to_owned(),
        );
    }
    let no_backup = context.has_backup_encrypted_dek == domain::Presence::Absent;
    if context.is_softhsm_storage() && context.is_wizard_completed() && no_backup {
        if context.is_dek_cached() == Ok(false) {
            warnings.push(
                "the DEK is out of reach and no backup password was ever set: no password can \
                 help. What can: the old token back in its place, or a backup that has a backup \
                 password"
                    .to_owned(),
            );
        } else {
            warnings.push(
                "no backup password is set: if the token is lost, so is everything that is sealed"
                    .to_owned(),
            );
        }
    }
    if let Some(missed) = missed_token(observation) {
        warnings.push(missed);
    }
    let only_cached = observation.dek.as_ref().is_some_and(|dek| !dek.unwrapped);
    if only_cached && context.has_kek == domain::Presence::Absent {
        warnings.push(
            "the KEK is not on the token: the DEK is left in the cache alone, and gone with the \
             next restart of the container. Run `trustpointctl keys rotate-kek`, which wraps it \
             with a new KEK, or bring the old token back, before anything is restarted"
                .to_owned(),
        );
    }
    warnings
}

/// Not to see a token is no proof that it is lost (C3).
fn missed_token(observation: &Observation) -> Option<String> {
    let known = observation.record.as_ref()?.token.as_ref()?;
    if !observation.context.is_softhsm_storage() || known.serial.is_empty() {
        return None;
    }
    let shown = match &observation.token {
        Some(token) if token.serial == known.serial => return None,
        Some(token) => format!("the token shown is another one (serial {})", token.serial),
        None => "no token with this label is shown".to_owned(),
    };
    Some(format!(
        "the token {:?} of this database (serial {}) is not there: {shown}. See first that its \
         directory or device is mounted and readable and that hsm.token_label is right; when the \
         old token is back, the node is ready without a password",
        known.label, known.serial
    ))
}
