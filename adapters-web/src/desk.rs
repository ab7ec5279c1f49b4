//! What the page asks of a node, each on a thread of its own: whether something may be done, doing it,
//! and whether what the node waits for is there by now.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ports::CryptoError;
use time::OffsetDateTime;
use tokio::sync::watch;
use usecases::error::Error;
use usecases::node::Node;
use usecases::recorder::Recorder;
use usecases::report::{ErrorReport, Report, StepReport, rfc3339};
use usecases::startup::{self, Mode};
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

    /// A task ended.
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
    /// A look at what the next start would select, which changes nothing.
    LookAgain,
}

impl Task {
    /// The command that does the same.
    const fn command(&self) -> &'static str {
        match self {
            Self::SetUp(_) => "setup",
            Self::Recover(_) => "recover",
            Self::LookAgain => "status",
        }
    }

    /// Where it can be tried again.
    const fn form(&self) -> &'static str {
        match self {
            Self::SetUp(_) => "/setup",
            Self::Recover(_) | Self::LookAgain => "/recover",
        }
    }

    const fn changes(&self) -> bool {
        !matches!(self, Self::LookAgain)
    }

    fn run(&self, recorder: &mut Recorder<'_>) -> Result<(), Error> {
        match self {
            Self::SetUp(request) => setup::run(recorder, request),
            Self::Recover(request) => recover::run(recorder, request),
            // One try, and one login at most, which the ledger of PIN tries has to allow.
            Self::LookAgain => startup::run(
                recorder,
                startup::Request {
                    mode: Mode::Status,
                    lock_wait: Duration::ZERO,
                    accept_new_database: false,
                },
            ),
        }
    }
}

/// What was seen of the node last.
pub struct Seen {
    /// What the start said, or what a look has said since.
    pub report: Report,
    /// When.
    pub when: String,
    /// Whether somebody asked for that look here, and nothing had changed.
    pub is_unchanged: bool,
}

impl Seen {
    fn now(report: Report, is_unchanged: bool) -> Arc<Self> {
        Arc::new(Self {
            report,
            when: rfc3339(OffsetDateTime::now_utc()),
            is_unchanged,
        })
    }
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub enum Progress {
    /// There is nothing to do.
    #[default]
    Idle,
    /// At work, with the steps that ended.
    Working(Vec<StepReport>),
    /// The node may be ready.
    Done(Box<Report>),
    /// It did not.
    Failed(Failed),
}

/// A task that failed.
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
    seen: Mutex<Arc<Seen>>,
    progress: watch::Sender<Progress>,
}

impl Clerk {
    /// With nothing to do yet, for a node of which a start has said this.
    pub fn new(desk: Arc<dyn Desk>, report: Report) -> Self {
        Self {
            desk,
            module: Mutex::new(()),
            seen: Mutex::new(Seen::now(report, false)),
            progress: watch::Sender::new(Progress::Idle),
        }
    }

    /// What was seen of the node last.
    pub fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A node to look at, for this thread. It may not reach the module.
    ///
    /// # Errors
    /// Why there is none.
    pub fn node(&self) -> Result<Node, ErrorReport> {
        self.desk.node(false)
    }

    /// An error with what to do next.
    pub fn explain(&self, error: Error) -> ErrorReport {
        self.desk.explain(error)
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

    /// Whether nobody reads of a failure either.
    pub fn is_idle(&self) -> bool {
        matches!(&*self.progress.borrow(), Progress::Idle)
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

    /// Takes nothing else from here on; not where something is being done already.
    pub fn take(&self) -> bool {
        self.progress.send_if_modified(|progress| {
            let is_free = matches!(progress, Progress::Idle | Progress::Failed(_));
            if is_free {
                *progress = Progress::Working(Vec::new());
            }
            is_free
        })
    }

    /// Begins a task, unless there is one; whether it was begun.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn begin(self: &Arc<Self>, task: Task) -> std::io::Result<bool> {
        if !self.take() {
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
        let mut report = Report::new(task.command());
        let mut is_wrong_password = false;
        let done = self.desk.node(task.changes()).and_then(|node| {
            // What a start would do is none of these steps.
            let on_step = |step: &StepReport| {
                if task.changes() {
                    self.ended_step(step);
                }
            };
            let mut recorder = Recorder::new(&node, &mut report, on_step);
            let done = task.run(&mut recorder);
            drop(recorder);
            report.warnings.extend(node.secrets.module.take_warnings());
            done.map_err(|error| {
                is_wrong_password = matches!(error, Error::Crypto(CryptoError::WrongPassword));
                self.desk.explain(error)
            })
        });
        if !task.changes() {
            report.steps.clear();
            if done.is_ok() && report.outcome == self.seen().report.outcome {
                self.see_unchanged(report);
                return Progress::Idle;
            }
        }
        let ended = match done {
            Ok(()) => Progress::Done(Box::new(report.clone())),
            Err(error) => {
                report.fail(error.clone());
                Progress::Failed(Failed {
                    steps: report.steps.clone(),
                    error,
                    is_wrong_password,
                    form: task.form(),
                })
            }
        };
        self.desk.ended(&report);
        ended
    }

    /// The page shows what is known now; its certificate is the one of before, whatever stands in the
    /// TLS directory by now.
    fn see_unchanged(&self, mut report: Report) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        report.tls.clone_from(&seen.report.tls);
        *seen = Seen::now(report, true);
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
