//! The beginning of the chain: the module that is configured, and how it is reached.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use ports::{PinMemory, ReachedModule, TokenError, TokenModule};

use crate::config::HsmConfig;
use crate::interrupts::Interrupts;
use crate::loaded::Loaded;
use crate::probe::probe;
use crate::reached::Reached;
use crate::shared::{Lease, Shared};
use crate::worker::{Thread, Watch};

/// The longest that one try to reach the daemon takes.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// The pause before the first further try; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The PKCS#11 module that is configured.
pub struct Pkcs11Module(Rc<Shared>);

impl Pkcs11Module {
    /// Loads nothing yet and starts no thread.
    #[must_use]
    pub fn new(
        config: HsmConfig,
        memory: Box<dyn PinMemory>,
        interrupts: Rc<dyn Interrupts>,
    ) -> Self {
        Self(Rc::new(Shared {
            config,
            memory,
            interrupts,
            tried: OnceCell::new(),
            idle: RefCell::new(None),
            warnings: RefCell::new(Vec::new()),
        }))
    }

    /// One try to reach daemon and module, on a thread that serves all of them.
    fn try_once(
        &self,
        limit: Duration,
        thread: &mut Option<Rc<Thread>>,
    ) -> Result<Loaded, TokenError> {
        if let Some(daemon) = &self.0.config.daemon {
            probe(daemon, limit)?;
        }
        let config = &self.0.config;
        let thread = match thread {
            Some(thread) => thread,
            None => thread.insert(Thread::start(Watch {
                module: config.module.clone(),
                deadline: config.call_deadline,
                interrupts: Rc::clone(&self.0.interrupts),
            })?),
        };
        Loaded::load(config, thread)
    }

    fn reached(&self, loaded: Loaded) -> Box<dyn ReachedModule> {
        Box::new(Reached(Lease {
            shared: Rc::clone(&self.0),
            loaded,
        }))
    }
}

impl TokenModule for Pkcs11Module {
    fn reach(
        &self,
        patience: Duration,
        waiting: &mut dyn FnMut(&TokenError),
    ) -> Result<Box<dyn ReachedModule>, TokenError> {
        if let Some(loaded) = self.0.idle.take() {
            return Ok(self.reached(loaded));
        }
        let mut thread = None;
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut limit = match patience {
            Duration::ZERO => PROBE_LIMIT,
            patience => PROBE_LIMIT.min(patience),
        };
        loop {
            let error = match self.try_once(limit, &mut thread) {
                Ok(loaded) => return Ok(self.reached(loaded)),
                Err(error) => error,
            };
            let left = patience.saturating_sub(start.elapsed());
            if left <= pause || !may_pass(&error) {
                return Err(error);
            }
            waiting(&error);
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            limit = PROBE_LIMIT.min(patience.saturating_sub(start.elapsed()).max(FIRST_PAUSE));
        }
    }

    fn probe_daemon(&self) -> Result<Option<String>, TokenError> {
        let Some(daemon) = &self.0.config.daemon else {
            return Ok(None);
        };
        probe(daemon, PROBE_LIMIT)?;
        Ok(Some(daemon.to_string()))
    }

    fn take_warnings(&self) -> Vec<String> {
        self.0.warnings.take()
    }
}

/// Whether a later try to reach the module could work. One that hangs is not tried again: its
/// thread is lost.
fn may_pass(error: &TokenError) -> bool {
    match error {
        TokenError::Call { failure, .. } => failure.may_pass(),
        error => matches!(
            error,
            TokenError::DaemonUnreachable { .. } | TokenError::NoSlots { .. }
        ),
    }
}
