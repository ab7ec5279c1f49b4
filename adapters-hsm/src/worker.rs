//! The thread that calls into the module, and the deadline of each call.
//!
//! A token that accepts and never answers blocks its caller for ever, and no call of PKCS#11 has a
//! timeout. So the module lives on a thread of its own, and who waits for it waits for so long and
//! no longer. A thread that does not come back is left alone: nothing joins it. One in which the
//! module ends the process is another one that does not come back (`last_resort`).
//!
//! What the module gives lives on its thread: made there, used there, given up there. A caller has
//! a [`Remote`] of it, and a value that was never made has none.

use std::any::Any;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use ports::TokenError;

use crate::interrupts::{Held, Interrupts};
use crate::last_resort::{self, End};

/// How long it may take until it is seen that the module has ended the process.
const POLL: Duration = Duration::from_millis(20);

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

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// How a value is reached that the thread was to make.
type Made<T> = Result<Sender<Job<T>>, TokenError>;

/// A value on the thread of the module.
pub(crate) struct Remote<T> {
    // The order counts: without `jobs` the thread gives the value up, `gone` waits for that, and
    // what the value was made of is given up after it.
    jobs: Sender<Job<T>>,
    gone: Gone,
    _made_of: Option<Rc<dyn Any>>,
}

/// The thread itself. Nothing is loaded on it yet.
pub(crate) type Thread = Remote<()>;

impl Thread {
    /// Starts it.
    pub(crate) fn start(watch: Watch) -> Result<Rc<Self>, TokenError> {
        ANY_STARTED.store(true, Ordering::Relaxed);
        let watch = Rc::new(watch);
        let (answer, answers) = mpsc::sync_channel(1);
        let (alive, gone) = mpsc::channel();
        thread::Builder::new()
            .name("pkcs11".into())
            .spawn(move || serve(Ok(()), answer, alive))
            .map_err(|source| TokenError::NoThread {
                module: watch.module.to_string(),
                source,
            })?;
        Self::receive(&watch, "starting", &answers, gone, None).map(Rc::new)
    }
}

impl<T: 'static> Remote<T> {
    /// Makes a further value of this one, on the same thread. This one lives on with it, and
    /// answers no call until the further one is dropped.
    pub(crate) fn make<U: 'static>(
        self: &Rc<Self>,
        doing: &str,
        make: impl FnOnce(&mut T) -> Result<U, TokenError> + Send + 'static,
    ) -> Result<Remote<U>, TokenError> {
        let watch = &self.gone.watch;
        let _held = Held::new(&*watch.interrupts);
        let (answer, answers) = mpsc::sync_channel(1);
        let (alive, gone) = mpsc::channel();
        self.send(
            doing,
            Box::new(move |value| serve(make(value), answer, alive)),
        )?;
        let made_of = Rc::<Self>::clone(self);
        Remote::receive(watch, doing, &answers, gone, Some(made_of))
    }

    /// Runs `job` on the thread; `doing` names it: "looking for the token". The end of the process
    /// from outside waits for it.
    pub(crate) fn call<R: Send + 'static>(
        &self,
        doing: &str,
        job: impl FnOnce(&mut T) -> Result<R, TokenError> + Send + 'static,
    ) -> Result<R, TokenError> {
        let watch = &self.gone.watch;
        let _held = Held::new(&*watch.interrupts);
        let (answer, answers) = mpsc::sync_channel(1);
        self.send(
            doing,
            Box::new(move |value| {
                // Nobody waits any longer where this fails; what was to be sent is zeroed by its
                // drop.
                let _ = answer.send(job(value));
            }),
        )?;
        watch.answer(doing, &answers)?
    }

    fn send(&self, doing: &str, job: Job<T>) -> Result<(), TokenError> {
        let watch = &self.gone.watch;
        watch.check(doing)?;
        self.jobs.send(job).map_err(|_| watch.died(doing))
    }

    fn receive(
        watch: &Rc<Watch>,
        doing: &str,
        answers: &Receiver<Made<T>>,
        alive: Receiver<Infallible>,
        made_of: Option<Rc<dyn Any>>,
    ) -> Result<Self, TokenError> {
        let gone = Gone {
            alive,
            watch: Rc::clone(watch),
        };
        let jobs = watch.answer(doing, answers)??;
        Ok(Self {
            jobs,
            gone,
            _made_of: made_of,
        })
    }
}

/// On the thread: serves the value until nobody can ask for it any more, and gives it up.
fn serve<T>(made: Result<T, TokenError>, answer: SyncSender<Made<T>>, alive: Sender<Infallible>) {
    match made {
        Ok(mut value) => {
            let (jobs, queue) = mpsc::channel::<Job<T>>();
            // Where nobody waits any longer nobody can ask either.
            let _ = answer.send(Ok(jobs));
            for job in queue {
                last_resort::in_module(|| job(&mut value));
            }
            last_resort::in_module(|| drop(value));
        }
        Err(error) => {
            let _ = answer.send(Err(error));
        }
    }
    drop(alive);
}

/// Waits until the thread has given a value up. One that hangs there is noted in [`ANY_HUNG`]; there
/// is nobody to tell otherwise.
struct Gone {
    alive: Receiver<Infallible>,
    watch: Rc<Watch>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        if any_module_hung() {
            return;
        }
        let _held = Held::new(&*self.watch.interrupts);
        match self.watch.wait(&self.alive) {
            Ok(never) => match never {},
            Err(NoAnswer::Died) => {}
            Err(NoAnswer::Hangs | NoAnswer::Ended(_)) => note_hang(),
        }
    }
}

/// The thread is lost.
fn note_hang() {
    ANY_HUNG.store(true, Ordering::Relaxed);
}

/// Why there is no answer.
enum NoAnswer {
    /// The deadline is over.
    Hangs,
    /// The module has ended the process.
    Ended(End),
    /// Nobody is left who could give one.
    Died,
}

/// How long the thread is waited for, and what is said of it.
pub(crate) struct Watch {
    pub(crate) module: Utf8PathBuf,
    pub(crate) deadline: Duration,
    pub(crate) interrupts: Rc<dyn Interrupts>,
}

impl Watch {
    /// Refuses to ask where nobody answers any more.
    fn check(&self, doing: &str) -> Result<(), TokenError> {
        if let Some(end) = last_resort::ended() {
            return Err(self.ended(doing, end));
        }
        if any_module_hung() {
            return Err(self.hangs(doing, "an earlier call into it never came back"));
        }
        Ok(())
    }

    fn answer<A>(&self, doing: &str, answers: &Receiver<A>) -> Result<A, TokenError> {
        self.wait(answers).map_err(|silence| match silence {
            NoAnswer::Hangs => {
                note_hang();
                self.hangs(doing, &format!("no answer within {:?}", self.deadline))
            }
            NoAnswer::Ended(end) => self.ended(doing, end),
            NoAnswer::Died => self.died(doing),
        })
    }

    fn wait<T>(&self, answers: &Receiver<T>) -> Result<T, NoAnswer> {
        let begin = Instant::now();
        loop {
            let left = self.deadline.saturating_sub(begin.elapsed());
            match answers.recv_timeout(left.min(POLL)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::Died),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(end) = last_resort::ended() {
                return Err(NoAnswer::Ended(end));
            }
            if left.is_zero() {
                return Err(NoAnswer::Hangs);
            }
        }
    }

    fn hangs(&self, doing: &str, why: &str) -> TokenError {
        TokenError::Hangs {
            doing: doing.to_owned(),
            module: self.module.to_string(),
            why: why.to_owned(),
        }
    }

    fn ended(&self, doing: &str, end: End) -> TokenError {
        note_hang();
        TokenError::ProcessEnded {
            doing: doing.to_owned(),
            module: self.module.to_string(),
            how: end.to_string(),
        }
    }

    fn died(&self, doing: &str) -> TokenError {
        TokenError::ThreadEnded {
            doing: doing.to_owned(),
            module: self.module.to_string(),
        }
    }
}
