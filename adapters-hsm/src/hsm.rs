//! The port itself: what runs on the caller's thread, around the calls into the module.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use domain::{InstallationId, KekId};
use ports::{
    Dek, Fault, Hsm, PinMemory, Secret, Token, TokenQuery, TokenSight, WrapFormat, WrappedDek,
};

use crate::config::HsmConfig;
use crate::interrupts::Interrupts;
use crate::module::{Attempt, Library};
use crate::probe::probe;
use crate::worker::Worker;
use crate::{blob, classify, flush, initialise, kek, marker, token, wrap};

/// The longest that one try to reach the daemon takes.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// The pause before the first further try; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often a token that must exist is looked for before it counts as absent.
const LOOKS: u32 = 3;
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The HSM behind a PKCS#11 module.
pub struct Pkcs11Hsm {
    pub(crate) config: HsmConfig,
    pub(crate) memory: Box<dyn PinMemory>,
    pub(crate) interrupts: Rc<dyn Interrupts>,
    worker: OnceCell<Worker>,
    /// What answered, once something did.
    reached: RefCell<Option<Library>>,
    /// The serial number of the token that was tried.
    pub(crate) tried: RefCell<Option<String>>,
    pub(crate) logged_in: Cell<bool>,
    warnings: RefCell<Vec<String>>,
}

impl Pkcs11Hsm {
    /// Loads nothing yet and starts no thread.
    #[must_use]
    pub fn new(
        config: HsmConfig,
        memory: Box<dyn PinMemory>,
        interrupts: Rc<dyn Interrupts>,
    ) -> Self {
        Self {
            config,
            memory,
            interrupts,
            worker: OnceCell::new(),
            reached: RefCell::new(None),
            tried: RefCell::new(None),
            logged_in: Cell::new(false),
            warnings: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn worker(&self) -> Result<&Worker, Fault> {
        if let Some(worker) = self.worker.get() {
            return Ok(worker);
        }
        let worker = Worker::start(
            &self.config.module,
            self.config.call_deadline,
            Rc::clone(&self.interrupts),
        )?;
        Ok(self.worker.get_or_init(|| worker))
    }

    /// One try to reach daemon and module.
    fn attempt(&self, limit: Duration) -> Result<Library, Attempt> {
        if let Some(daemon) = &self.config.daemon {
            probe(daemon, limit).map_err(Attempt::Again)?;
        }
        let worker = self.worker().map_err(Attempt::Final)?;
        // A module that hangs is not tried again: its thread is lost.
        let opened = worker
            .call("loading", |module| Ok(module.open()))
            .map_err(Attempt::Final)?;
        let mut library = opened?;
        if let Some(daemon) = &self.config.daemon {
            library.text = format!("{}, daemon {daemon}", library.text);
        }
        Ok(library)
    }

    /// SoftHSM can fail to open a token that another process is writing to, and shows it as if it
    /// were not there. Where a token is known to exist, the module is loaded afresh and asked
    /// again before that is believed (C3).
    fn look_again(&self, query: &TokenQuery) -> Result<TokenSight, Fault> {
        let mut sight = self.look(query)?;
        for _ in 1..LOOKS {
            let absent = matches!(sight, TokenSight::Absent { .. });
            if !absent || query.serial.is_none() || self.logged_in.get() {
                break;
            }
            thread::sleep(PAUSE_BETWEEN_LOOKS);
            let library = self.reached.take();
            self.worker()?.call("loading", |module| {
                module.open().map(drop).map_err(|attempt| match attempt {
                    Attempt::Final(fault) | Attempt::Again(fault) => fault,
                })
            })?;
            *self.reached.borrow_mut() = library;
            sight = self.look(query)?;
        }
        Ok(sight)
    }

    fn look(&self, query: &TokenQuery) -> Result<TokenSight, Fault> {
        let query = query.clone();
        self.worker()?.call("looking for the token", move |module| {
            token::find(module, &query)
        })
    }

    /// What the token has written goes to the disk, before the caller commits what needs it. A
    /// token behind a daemon is for its own host to sync. Outside of the worker, whose deadline is
    /// no measure for a busy disk.
    fn flush(&self, serial: &str) -> Result<(), Fault> {
        let needs_flush = (self.reached.borrow().as_ref())
            .is_some_and(|library| library.quirks.needs_flush && self.config.daemon.is_none());
        if !needs_flush {
            return Ok(());
        }
        for warning in flush::flush(serial)? {
            let mut warnings = self.warnings.borrow_mut();
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(())
    }

    /// The same for the token that was logged in to.
    fn flush_token(&self) -> Result<(), Fault> {
        let serial = self.tried.borrow().clone();
        serial.map_or(Ok(()), |serial| self.flush(&serial))
    }
}

impl Hsm for Pkcs11Hsm {
    fn reach(&self, patience: Duration, waiting: &mut dyn FnMut(&Fault)) -> Result<String, Fault> {
        if let Some(library) = &*self.reached.borrow() {
            return Ok(library.text.clone());
        }
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut limit = match patience {
            Duration::ZERO => PROBE_LIMIT,
            patience => PROBE_LIMIT.min(patience),
        };
        loop {
            let fault = match self.attempt(limit) {
                Ok(library) => {
                    let text = library.text.clone();
                    *self.reached.borrow_mut() = Some(library);
                    return Ok(text);
                }
                Err(Attempt::Final(fault)) => return Err(fault),
                Err(Attempt::Again(fault)) => fault,
            };
            let left = patience.saturating_sub(start.elapsed());
            if left <= pause {
                return Err(fault);
            }
            waiting(&fault);
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            limit = PROBE_LIMIT.min(patience.saturating_sub(start.elapsed()).max(FIRST_PAUSE));
        }
    }

    fn probe_daemon(&self) -> Result<Option<String>, Fault> {
        let Some(daemon) = &self.config.daemon else {
            return Ok(None);
        };
        probe(daemon, PROBE_LIMIT)?;
        Ok(Some(daemon.to_string()))
    }

    fn find_token(&self, query: &TokenQuery) -> Result<TokenSight, Fault> {
        self.look_again(query)
    }

    fn login(&self, token: &Token, pin: &Secret) -> Result<(), Fault> {
        self.log_in(token, pin)
    }

    fn has_kek(&self, kek: &KekId) -> Result<bool, Fault> {
        let kek = kek.clone();
        self.worker()?.call("looking for the KEK", move |module| {
            let user = module.session()?;
            kek::find(user, &kek).map(|found| found.is_some())
        })
    }

    fn unwrap_dek(&self, kek: &KekId, blob: &WrappedDek) -> Result<Dek, Fault> {
        let (kek, blob) = (kek.clone(), blob.clone());
        self.worker()?.call("unwrapping the DEK", move |module| {
            wrap::unwrap(module.session()?, &kek, &blob)
        })
    }

    fn wrap_format_of(&self, blob: &WrappedDek) -> Option<WrapFormat> {
        blob::format(blob)
    }

    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId> {
        blob::kek(blob)
    }

    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, Fault> {
        let (kek, dek) = (kek.clone(), dek.clone());
        let blob = self.worker()?.call("wrapping the DEK", move |module| {
            wrap::wrap(module.session()?, &kek, &dek)
        })?;
        // The KEK may have been generated by a run that was killed before it came to its own sync.
        self.flush_token()?;
        Ok(blob)
    }

    fn generate_kek_as(&self, kek: &KekId) -> Result<(), Fault> {
        let kek = kek.clone();
        self.worker()?.call("generating a KEK", move |module| {
            kek::generate(module.session()?, &kek)
        })?;
        self.flush_token()
    }

    fn kek_check_value(&self, kek: &KekId) -> Result<Option<Vec<u8>>, Fault> {
        let kek = kek.clone();
        self.worker()?
            .call("reading the KEK's check value", move |module| {
                kek::check_value(module.session()?, &kek)
            })
    }

    fn destroy_kek(&self, kek: &KekId) -> Result<bool, Fault> {
        let kek = kek.clone();
        // The power must not take the new KEK where the old one is gone.
        self.flush_token()?;
        self.worker()?.call("destroying a KEK", move |module| {
            kek::destroy(module.session()?, &kek)
        })
    }

    fn random(&self, length: usize) -> Result<Secret, Fault> {
        self.worker()?
            .call("asking for random bytes", move |module| {
                let user = module.session()?;
                let mut bytes = vec![0; length];
                user.session
                    .generate_random_slice(&mut bytes)
                    .map_err(|error| {
                        classify::fault(
                            classify::Operation::Other,
                            format!("the generator of the {user} gave no random bytes"),
                            error,
                        )
                    })?;
                Ok(Secret::new(bytes))
            })
    }

    fn initialise_token(&self, label: &str, so_pin: &Secret, pin: &Secret) -> Result<Token, Fault> {
        let (label, so_pin, pin) = (label.to_owned(), so_pin.clone(), pin.clone());
        let token = self
            .worker()?
            .call("initialising the token", move |module| {
                initialise::initialise(module, &label, &so_pin, &pin)
            })?;
        self.flush(&token.serial)?;
        Ok(token)
    }

    fn mark(&self, installation: &InstallationId) -> Result<(), Fault> {
        let installation = installation.clone();
        self.worker()?.call("marking the token", move |module| {
            marker::write(module.session()?, &installation)
        })?;
        self.flush_token()
    }

    fn is_hung(&self) -> bool {
        self.worker.get().is_some_and(Worker::is_hung)
    }

    fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }
}
