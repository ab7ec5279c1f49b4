//! The port itself: what runs on the caller's thread, around the calls into the module.

use std::cell::{Cell, OnceCell, RefCell};
use std::thread;
use std::time::{Duration, Instant};

use domain::{InstallationId, KekId};
use ports::{
    Dek, Fault, FaultKind, Hsm, PinMemory, Secret, Token, TokenQuery, TokenSight, WrapFormat,
    WrappedDek,
};

use crate::config::HsmConfig;
use crate::module::Attempt;
use crate::probe::probe;
use crate::session::Login;
use crate::worker::Worker;
use crate::{blob, budget, classify, initialise, kek, marker, session, token, wrap};

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
    config: HsmConfig,
    memory: Box<dyn PinMemory>,
    worker: OnceCell<Worker>,
    /// What answered, once something did.
    reached: RefCell<Option<String>>,
    /// The serial number of the token that was tried.
    tried: RefCell<Option<String>>,
    logged_in: Cell<bool>,
}

impl Pkcs11Hsm {
    /// Loads nothing yet and starts no thread.
    #[must_use]
    pub fn new(config: HsmConfig, memory: Box<dyn PinMemory>) -> Self {
        Self {
            config,
            memory,
            worker: OnceCell::new(),
            reached: RefCell::new(None),
            tried: RefCell::new(None),
            logged_in: Cell::new(false),
        }
    }

    fn worker(&self) -> Result<&Worker, Fault> {
        if let Some(worker) = self.worker.get() {
            return Ok(worker);
        }
        let worker = Worker::start(&self.config.module, self.config.call_deadline)?;
        Ok(self.worker.get_or_init(|| worker))
    }

    /// One try to reach daemon and module.
    fn attempt(&self, limit: Duration) -> Result<String, Attempt> {
        if let Some(daemon) = &self.config.daemon {
            probe(daemon, limit).map_err(Attempt::Again)?;
        }
        let worker = self.worker().map_err(Attempt::Final)?;
        // A module that hangs is not tried again: its thread is lost.
        let opened = worker
            .call("loading", |module| Ok(module.open()))
            .map_err(Attempt::Final)?;
        let library = opened?;
        Ok(match &self.config.daemon {
            Some(daemon) => format!("{library}, daemon {daemon}"),
            None => library,
        })
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

    /// The one C_Login.
    fn try_pin(&self, token: &Token, pin: &Secret) -> Result<Login, Fault> {
        *self.tried.borrow_mut() = Some(token.serial.clone());
        let (label, serial, pin) = (token.label.clone(), token.serial.clone(), pin.clone());
        let result = self.worker()?.call("the login", move |module| {
            session::login(module, &label, &serial, &pin)
        });
        // A try that never came back was one.
        if result.is_err() && !self.is_hung() {
            *self.tried.borrow_mut() = None;
        }
        result
    }

    /// Whether there is nothing left to do; an error where a second try would be one too many.
    fn is_logged_in(&self, token: &Token) -> Result<bool, Fault> {
        let tried = self.tried.borrow();
        match tried.as_deref() {
            None => Ok(false),
            Some(serial) if serial == token.serial && self.logged_in.get() => Ok(true),
            Some(serial) => Err(Fault::new(
                FaultKind::Denied,
                format!(
                    "a PIN was tried in this start already, on the token with serial {serial}; \
                     none is tried again"
                ),
                "start again with the right PIN where hsm.pin_file says",
            )),
        }
    }

    fn remember(&self, serial: &str, pin: &Secret, rejection: Fault) -> Fault {
        match budget::remember(serial, pin).and_then(|rejected| self.memory.remember(&rejected)) {
            Ok(()) => rejection,
            Err(fault) => Fault::new(
                FaultKind::Denied,
                format!("{rejection}, and that could not be remembered"),
                "stop what restarts this program before the token locks itself; put the right \
                 PIN where hsm.pin_file says",
            )
            .because(fault),
        }
    }
}

impl Hsm for Pkcs11Hsm {
    fn reach(&self, patience: Duration, waiting: &mut dyn FnMut(&Fault)) -> Result<String, Fault> {
        if let Some(library) = &*self.reached.borrow() {
            return Ok(library.clone());
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
                    *self.reached.borrow_mut() = Some(library.clone());
                    return Ok(library);
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
        if self.is_logged_in(token)? {
            return Ok(());
        }
        budget::check_flags(&token.label, &token.serial, token.pin)?;
        budget::check_pin(&token.label, &token.serial, pin)?;
        let remembered = self.memory.recall(&token.serial)?;
        if let Some(remembered) = &remembered {
            budget::check_memory(&token.label, remembered, pin)?;
        }
        match self.try_pin(token, pin)? {
            Login::Failed(fault) => Err(fault),
            Login::Rejected(rejection) => Err(self.remember(&token.serial, pin, rejection)),
            Login::Accepted => {
                self.logged_in.set(true);
                match remembered {
                    Some(_) => self.memory.forget(&token.serial),
                    None => Ok(()),
                }
            }
        }
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
        key_before_blob();
        Ok(blob)
    }

    fn generate_kek_as(&self, kek: &KekId) -> Result<(), Fault> {
        let kek = kek.clone();
        self.worker()?.call("generating a KEK", move |module| {
            kek::generate(module.session()?, &kek)
        })?;
        key_before_blob();
        Ok(())
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
        key_before_blob();
        Ok(token)
    }

    fn mark(&self, installation: &InstallationId) -> Result<(), Fault> {
        let installation = installation.clone();
        self.worker()?.call("marking the token", move |module| {
            marker::write(module.session()?, &installation)
        })?;
        key_before_blob();
        Ok(())
    }

    fn is_hung(&self) -> bool {
        self.worker.get().is_some_and(Worker::is_hung)
    }
}

/// Brings what the token has written to the disk, before the caller commits what needs it.
///
/// SoftHSM in process writes through this machine's page cache and never syncs: a power cut after
/// the commit would leave a DEK wrapped by a KEK that no token has. A token behind a daemon is for
/// its own host to sync. Outside of the worker, whose deadline is no measure for a busy disk.
fn key_before_blob() {
    rustix::fs::sync();
}
