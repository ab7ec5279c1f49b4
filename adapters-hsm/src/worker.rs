//! The one thread that calls into the module, and the deadline of each call.
//!
//! A token that accepts and never answers blocks its caller for ever, and no call of PKCS#11 has a
//! timeout. So the module lives on a thread of its own, and who waits for it waits for so long and
//! no longer. A thread that does not come back is left alone: nothing joins it. One in which the
//! module ends the process is another one that does not come back (`last_resort`).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind};

use crate::interrupts::{Held, Interrupts};
use crate::last_resort::{self, End};
use crate::module::Module;

/// How long it may take until it is seen that the module has ended the process.
const GLANCE: Duration = Duration::from_millis(20);

/// Whether any module in this process hangs; a destructor has no other way to say so.
static ANY_HUNG: AtomicBool = AtomicBool::new(false);

/// Whether any module's thread was started in this process.
static ANY_STARTED: AtomicBool = AtomicBool::new(false);

/// Whether a call into any module of this process never came back, the calls that close it
/// included. The process must then end without running exit handlers.
#[must_use]
pub fn any_module_hung() -> bool {
    ANY_HUNG.load(Ordering::Relaxed)
}

/// Whether this process has run a module. It must then end without running exit handlers: the
/// module's would race with the end of the thread it ran on.
#[must_use]
pub fn any_module_started() -> bool {
    ANY_STARTED.load(Ordering::Relaxed)
}

type Job = Box<dyn FnOnce(&mut Module) + Send>;

/// The thread.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    module: Utf8PathBuf,
    deadline: Duration,
    interrupts: Rc<dyn Interrupts>,
    hung: Cell<bool>,
}

/// Why there is no answer.
enum Silence {
    /// The deadline is over.
    Hangs,
    /// The module has ended the process.
    Ended(End),
    /// The thread is gone.
    Died,
}

impl Worker {
    /// Starts the thread; the module is not loaded yet.
    pub(crate) fn start(
        module: &Utf8Path,
        deadline: Duration,
        interrupts: Rc<dyn Interrupts>,
    ) -> Result<Self, Fault> {
        ANY_STARTED.store(true, Ordering::Relaxed);
        let (jobs, queue) = mpsc::channel::<Job>();
        let path = module.to_owned();
        thread::Builder::new()
            .name("pkcs11".into())
            .spawn(move || {
                let mut module = Module::new(path);
                for job in queue {
                    last_resort::in_module(|| job(&mut module));
                }
            })
            .map_err(|error| {
                Fault::new(
                    FaultKind::HsmUnavailable,
                    format!("no thread could be started for the PKCS#11 module {module}"),
                    "raise the limits on threads and memory of this process, then start again",
                )
                .because(error)
            })?;
        Ok(Self {
            jobs,
            module: module.to_owned(),
            deadline,
            interrupts,
            hung: Cell::new(false),
        })
    }

    /// Runs `job` on the thread; `doing` names it: "looking for the token". The end of the process
    /// from outside waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        doing: &str,
        job: impl FnOnce(&mut Module) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        if let Some(end) = last_resort::ended() {
            return Err(self.ended(doing, end));
        }
        if self.hung.get() {
            return Err(self.hangs(doing, "an earlier call into it never came back"));
        }
        let _held = Held::new(&*self.interrupts);
        let (answer, answers) = mpsc::sync_channel(1);
        let sent = self.jobs.send(Box::new(move |module: &mut Module| {
            // Nobody waits any longer where this fails; what was to be sent is zeroed by its drop.
            let _ = answer.send(job(module));
        }));
        if sent.is_err() {
            return Err(self.died(doing));
        }
        self.wait(&answers).unwrap_or_else(|silence| {
            Err(match silence {
                Silence::Hangs => {
                    self.lose();
                    self.hangs(doing, &format!("no answer within {:?}", self.deadline))
                }
                Silence::Ended(end) => self.ended(doing, end),
                Silence::Died => self.died(doing),
            })
        })
    }

    fn wait<T>(&self, answers: &Receiver<T>) -> Result<T, Silence> {
        let begin = Instant::now();
        loop {
            let left = self.deadline.saturating_sub(begin.elapsed());
            match answers.recv_timeout(left.min(GLANCE)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Died),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(end) = last_resort::ended() {
                return Err(Silence::Ended(end));
            }
            if left.is_zero() {
                return Err(Silence::Hangs);
            }
        }
    }

    /// The thread will never come back.
    fn lose(&self) {
        self.hung.set(true);
        ANY_HUNG.store(true, Ordering::Relaxed);
    }

    /// Whether a call never came back.
    pub(crate) fn is_hung(&self) -> bool {
        self.hung.get()
    }

    fn hangs(&self, doing: &str, why: &str) -> Fault {
        Fault::new(
            FaultKind::HsmUnavailable,
            format!(
                "{doing} through the PKCS#11 module {} accepts and never answers: {why}",
                self.module
            ),
            "check the token's daemon: it accepts connections and does not serve them; restart \
             it, or raise hsm.wait where it is slow",
        )
    }

    fn ended(&self, doing: &str, end: End) -> Fault {
        self.lose();
        Fault::new(
            FaultKind::HsmUnavailable,
            format!(
                "{doing}: the PKCS#11 module {} ended the process: {end}; an object on the token \
                 may be damaged",
                self.module
            ),
            "keep the files of the token as they are, see what the module has said in its log, and \
             put an object that is damaged back from a backup of the token; this says nothing \
             about the other keys on the token",
        )
    }

    fn died(&self, doing: &str) -> Fault {
        Fault::new(
            FaultKind::Internal,
            format!(
                "{doing}: the thread of the PKCS#11 module {} has ended",
                self.module
            ),
            "this is a defect of this program or of the module: report it",
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.hung.get() {
            return;
        }
        // A module that hangs here is noted in `ANY_HUNG`; there is nobody to tell otherwise.
        let _ = self.call("closing", |module| {
            module.close();
            Ok(())
        });
    }
}
