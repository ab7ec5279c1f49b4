//! A module on its thread.

use std::rc::Rc;

use ports::TokenError;

use crate::config::HsmConfig;
use crate::module::Module;
use crate::worker::{Remote, Thread};

/// The module, and how it is reached.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) module: Rc<Remote<Module>>,
    pub(crate) thread: Rc<Thread>,
    /// What answered, for the report.
    pub(crate) description: String,
    /// Whether what its tokens have written has to be synced.
    pub(crate) needs_flush: bool,
}

impl Loaded {
    /// Loads the module on the thread.
    pub(crate) fn load(config: &HsmConfig, thread: &Rc<Thread>) -> Result<Self, TokenError> {
        const DOING: &str = "loading";
        let path = config.module.clone();
        let init = config.module_init.clone();
        let module = thread.make(DOING, move |()| Module::load(path, init.as_deref()))?;
        let (description, quirks) =
            module.call(DOING, |module| Ok((module.description()?, module.quirks())))?;
        Ok(Self {
            module: Rc::new(module),
            thread: Rc::clone(thread),
            description: match &config.daemon {
                Some(daemon) => format!("{description}, daemon {daemon}"),
                None => description,
            },
            // A token behind a daemon is for its own host to sync.
            needs_flush: quirks.needs_flush && config.daemon.is_none(),
        })
    }
}
