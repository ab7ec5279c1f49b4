//! The middle of the chain: a module that was reached, and a token that was found in it.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use ports::{Fault, Found, ReachedModule, Secret, Token, TokenInfo, TokenQuery, TokenSession};

use crate::find::{self, Search};
use crate::initialise;
use crate::login;
use crate::module::{LoadError, Module};
use crate::shared::Shared;
use crate::token_session::Pkcs11Session;
use crate::worker::{Remote, Watch};

/// How often a token that must exist is looked for before it counts as absent.
const LOOKS: u32 = 3;
const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A module on its thread.
pub(crate) struct Loaded {
    module: Rc<Remote<Module>>,
    description: String,
    needs_flush: bool,
}

impl Loaded {
    /// A module that hangs is not tried again: its thread is lost.
    pub(crate) fn load(shared: &Shared) -> Result<Self, LoadError> {
        let config = &shared.config;
        let watch = Rc::new(Watch {
            module: config.module.clone(),
            deadline: config.call_deadline,
            interrupts: Rc::clone(&shared.interrupts),
        });
        let path = config.module.clone();
        let (module, info) = Remote::start(&watch, "loading", move || Module::load(path))
            .map_err(LoadError::Permanent)??;
        Ok(Self {
            module: Rc::new(module),
            description: match &config.daemon {
                Some(daemon) => format!("{}, daemon {daemon}", info.description),
                None => info.description,
            },
            // A token behind a daemon is for its own host to sync.
            needs_flush: info.quirks.needs_flush && config.daemon.is_none(),
        })
    }
}

/// A module that answers.
pub(crate) struct Reached {
    shared: Rc<Shared>,
    loaded: Loaded,
}

impl Reached {
    pub(crate) fn new(shared: Rc<Shared>, loaded: Loaded) -> Self {
        Self { shared, loaded }
    }

    /// SoftHSM can fail to open a token that another process is writing to, and shows it as if it
    /// were not there. Where a token is known to exist, the module is loaded afresh and asked
    /// again before that is believed (C3).
    fn search(self, query: &TokenQuery) -> Result<(Self, Search), Fault> {
        let mut reached = self;
        let mut search = reached.look(query)?;
        for _ in 1..LOOKS {
            if matches!(search, Search::Present(_)) || query.serial.is_none() {
                break;
            }
            thread::sleep(PAUSE_BETWEEN_LOOKS);
            reached = reached.load_afresh()?;
            search = reached.look(query)?;
        }
        Ok((reached, search))
    }

    fn look(&self, query: &TokenQuery) -> Result<Search, Fault> {
        let query = query.clone();
        let module = &self.loaded.module;
        module.call("looking for the token", move |module| {
            find::find(module, &query)
        })
    }

    fn load_afresh(self) -> Result<Self, Fault> {
        let Self { shared, loaded } = self;
        // A module is initialised once at a time.
        drop(loaded);
        let loaded = Loaded::load(&shared)?;
        Ok(Self { shared, loaded })
    }

    fn token(self, info: TokenInfo) -> Box<dyn Token> {
        let reached = self;
        Box::new(Pkcs11Token { reached, info })
    }
}

impl ReachedModule for Reached {
    fn description(&self) -> &str {
        &self.loaded.description
    }

    fn find(self: Box<Self>, query: &TokenQuery) -> Result<Found, Fault> {
        let (reached, search) = self.search(query)?;
        Ok(match search {
            Search::Absent { others, free_slot } => Found::Absent {
                module: Box::new(reached),
                others,
                free_slot,
            },
            Search::Present(info) => Found::Present(reached.token(info)),
        })
    }

    fn initialise(
        self: Box<Self>,
        label: &str,
        so_pin: &Secret,
        pin: &Secret,
    ) -> Result<Box<dyn Token>, Fault> {
        let (label, so_pin, pin) = (label.to_owned(), so_pin.clone(), pin.clone());
        let module = &self.loaded.module;
        let info = module.call("initialising the token", move |module| {
            initialise::initialise(module, &label, &so_pin, &pin)
        })?;
        if self.loaded.needs_flush {
            self.shared.flush(&info.serial)?;
        }
        Ok(self.token(info))
    }
}

/// A token that was found.
struct Pkcs11Token {
    reached: Reached,
    info: TokenInfo,
}

impl Token for Pkcs11Token {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn into_module(self: Box<Self>) -> Box<dyn ReachedModule> {
        Box::new(self.reached)
    }

    fn log_in(self: Box<Self>, pin: &Secret) -> Result<Box<dyn TokenSession>, Fault> {
        let Self { reached, info } = *self;
        let Reached { shared, loaded } = reached;
        let user = login::log_in(&shared, &loaded.module, &info, pin)?;
        Ok(Box::new(Pkcs11Session {
            user,
            info,
            needs_flush: loaded.needs_flush,
            shared,
        }))
    }
}
