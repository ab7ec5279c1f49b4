//! The beginning of the chain: the module that is configured, and how it is reached.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ports::{Patience, PinMemory, ReachedModule, TokenError, TokenModule};

use crate::config::HsmConfig;
use crate::interrupts::Interrupts;
use crate::loaded::Loaded;
use crate::patience::Pauses;
use crate::probe::probe;
use crate::reached::Reached;
use crate::shared::{Lease, Shared};
use crate::worker::{Thread, Watch};

/// The longest that one try to reach the daemon takes, and the shortest that it is given.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const PROBE_LEAST: Duration = Duration::from_millis(250);

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
    fn reach(&self, patience: &mut Patience<'_>) -> Result<Box<dyn ReachedModule>, TokenError> {
        if let Some(loaded) = self.0.idle.take() {
            return Ok(self.reached(loaded));
        }
        let mut thread = None;
        let mut pauses = Pauses::new();
        let mut limit = match patience.left() {
            Duration::ZERO => PROBE_LIMIT,
            left => PROBE_LIMIT.min(left),
        };
        loop {
            match self.try_once(limit, &mut thread) {
                Ok(loaded) => return Ok(self.reached(loaded)),
                Err(error) => pauses.pause(patience, error)?,
            }
            limit = PROBE_LIMIT.min(patience.left().max(PROBE_LEAST));
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
