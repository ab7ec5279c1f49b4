//! What the page asks of a node, each on a thread of its own: whether something may be done, doing it,
//! and whether somebody else has done it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ports::CryptoError;
use tokio::sync::watch;
use usecases::error::Error;
use usecases::node::Node;
use usecases::recorder::Recorder;
use usecases::report::{ErrorReport, Report, StepReport};
use usecases::waits::{self, Waits};
use usecases::{recover, setup};

/// What whoever opens the page gives it: nodes, and words.
pub trait Desk: Send + Sync {
    /// A node for this thread; whether it is going to be changed.
    ///
    /// # Errors
    /// Why there is none.
    fn node(&self, is_changed: bool) -> Result<Node, ErrorReport>;

    /// An error with what to do next.
    fn explain(&self, error: Error) -> ErrorReport;

    /// A step of a setup or a recovery ended.
    fn step(&self, step: &StepReport);

    /// A setup or a recovery ended.
    fn ended(&self, report: &Report);

    /// Something that is worth a line in the log.
    fn note(&self, line: &str);
}

/// What is to be done.
pub enum Task {
    /// Setup.
    SetUp(setup::Request),
    /// Recovery.
    Recover(recover::Request),
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub enum Progress {
    /// Nothing was asked for yet.
    #[default]
    Idle,
    /// At work, with the steps that ended.
    Working(Vec<StepReport>),
    /// It worked.
    Done(Box<Report>),
    /// It did not.
    Failed(Failed),
}

/// A setup or a recovery that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What was done until then.
    pub steps: Vec<StepReport>,
    /// Why.
    pub error: ErrorReport,
    /// Whether all there is to it is a wrong password.
    pub is_wrong_password: bool,
    /// Where it can be tried again.
    pub form: &'static str,
}

/// The one desk of a page.
pub struct Clerk {
    desk: Arc<dyn Desk>,
    /// Held by whoever has a node that may reach the PKCS#11 module: that is initialised once in a
    /// process.
    module: Mutex<()>,
    progress: watch::Sender<Progress>,
}

impl Clerk {
    /// With nothing to do yet.
    pub fn new(desk: Arc<dyn Desk>) -> Self {
        Self {
            desk,
            module: Mutex::new(()),
            progress: watch::Sender::new(Progress::Idle),
        }
    }

    /// How far it is, now and from now on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Whether something is being done, or was done: there is nothing more to ask for then.
    pub fn is_taken(&self) -> bool {
        matches!(
            &*self.progress.borrow(),
            Progress::Working(_) | Progress::Done(_)
        )
    }

    /// Says something to whoever reads the log.
    pub fn note(&self, line: &str) {
        self.desk.note(line);
    }

    /// Forgets a failure.
    pub fn forget_failure(&self) {
        self.progress.send_if_modified(|progress| {
            let has_failed = matches!(progress, Progress::Failed(_));
            if has_failed {
                *progress = Progress::Idle;
            }
            has_failed
        });
    }

    /// Asks a node for something that changes nothing. Blocks.
    ///
    /// # Errors
    /// What it says.
    pub fn ask<T>(&self, ask: impl FnOnce(&Node) -> Result<T, Error>) -> Result<T, ErrorReport> {
        let _module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        let node = self.desk.node(false)?;
        ask(&node).map_err(|error| self.desk.explain(error))
    }

    /// Begins a task, unless there is one; whether it was begun.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn begin(self: &Arc<Self>, task: Task) -> std::io::Result<bool> {
        let is_free = self.progress.send_if_modified(|progress| {
            let is_free = matches!(progress, Progress::Idle | Progress::Failed(_));
            if is_free {
                *progress = Progress::Working(Vec::new());
            }
            is_free
        });
        if !is_free {
            return Ok(false);
        }
        let clerk = Arc::clone(self);
        let begun = thread::Builder::new()
            .name("page-task".to_owned())
            .spawn(move || {
                let ended = clerk.carry_out(&task);
                clerk.progress.send_replace(ended);
            });
        if begun.is_err() {
            self.progress.send_replace(Progress::Idle);
        }
        begun.map(|_| true)
    }

    fn carry_out(&self, task: &Task) -> Progress {
        let _module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = Report::new(match task {
            Task::SetUp(_) => "setup",
            Task::Recover(_) => "recover",
        });
        let mut is_wrong_password = false;
        let done = self.desk.node(true).and_then(|node| {
            let mut recorder = Recorder::new(&node, &mut report, |step| self.ended_step(step));
            let done = match task {
                Task::SetUp(request) => setup::run(&mut recorder, request),
                Task::Recover(request) => recover::run(&mut recorder, request),
            };
            drop(recorder);
            report.warnings.extend(node.secrets.module.take_warnings());
            done.map_err(|error| {
                is_wrong_password = matches!(error, Error::Crypto(CryptoError::WrongPassword));
                self.desk.explain(error)
            })
        });
        let ended = match done {
            Ok(()) => Progress::Done(Box::new(report.clone())),
            Err(error) => {
                report.fail(error.clone());
                Progress::Failed(Failed {
                    steps: report.steps.clone(),
                    error,
                    is_wrong_password,
                    form: match task {
                        Task::SetUp(_) => "/setup",
                        Task::Recover(_) => "/recover",
                    },
                })
            }
        };
        self.desk.ended(&report);
        ended
    }

    fn ended_step(&self, step: &StepReport) {
        self.desk.step(step);
        self.progress.send_modify(|progress| {
            if let Progress::Working(steps) = progress {
                steps.push(step.clone());
            }
        });
    }
}

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(400);

/// In how many of these looks a database that nodes share is asked too.
const ASK: u32 = 5;

/// Looks until the node no longer waits for what the start has found, while the page itself does
/// nothing to it. Blocks; ends as well when nobody waits for what it finds.
pub fn watch_others(clerk: &Clerk, waited: Waits, has_ended: &dyn Fn() -> bool) {
    let mut trouble = None;
    let mut looks: u32 = 0;
    while !has_ended() {
        thread::sleep(LOOK);
        looks = looks.wrapping_add(1);
        if clerk.is_taken() {
            continue;
        }
        let found = look(clerk, looks.is_multiple_of(ASK));
        // The page may have begun something in the meantime.
        if clerk.is_taken() {
            continue;
        }
        match found {
            Ok(waits) => {
                trouble = None;
                if waits != waited {
                    return;
                }
            }
            // What cannot be seen now may be seen at the next look; it is told once.
            Err(error) => {
                if trouble.as_ref() != Some(&error.message) {
                    let line = format!("what the node waits for cannot be seen: {}", error.message);
                    clerk.note(&line);
                }
                trouble = Some(error.message);
            }
        }
    }
}

/// A node of its own for each look: one that was used before may remember what it saw.
fn look(clerk: &Clerk, asks_database: bool) -> Result<Waits, ErrorReport> {
    let node = clerk.desk.node(false)?;
    let waits = if asks_database && node.store.is_shared() {
        waits::by_database(&node)
    } else {
        waits::by_files(&node)
    };
    waits.map_err(|error| clerk.desk.explain(error))
}
