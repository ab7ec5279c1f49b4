//! What everything that comes of one module in one process shares.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use ports::{PinMemory, TokenError, TokenInfo};

use crate::config::HsmConfig;
use crate::flush;
use crate::interrupts::Interrupts;
use crate::loaded::Loaded;

/// What is known from the beginning, and what is remembered to the end.
pub(crate) struct Shared {
    pub(crate) config: HsmConfig,
    pub(crate) memory: Box<dyn PinMemory>,
    pub(crate) interrupts: Rc<dyn Interrupts>,
    /// The serial number of the token on which a PIN was tried: one in the life of the process.
    pub(crate) tried: OnceCell<String>,
    /// The module, once it was reached, while nobody uses it: it is not loaded again.
    pub(crate) idle: RefCell<Option<Loaded>>,
    /// What nobody was told of yet.
    pub(crate) warnings: RefCell<Vec<String>>,
}

impl Shared {
    /// Tells the same only once.
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

/// The module, for as long as somebody uses it. It stays loaded for whoever reaches it next.
pub(crate) struct Lease {
    pub(crate) shared: Rc<Shared>,
    pub(crate) loaded: Loaded,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.idle.replace(Some(self.loaded.clone()));
    }
}

impl Lease {
    /// The module, loaded anew; `again` is asked after each failure whether there is a further try.
    pub(crate) fn load_afresh(
        self,
        mut again: impl FnMut(TokenError) -> Result<(), TokenError>,
    ) -> Result<Self, TokenError> {
        let (shared, thread) = (Rc::clone(&self.shared), Rc::clone(&self.loaded.thread));
        drop(self);
        // It is initialised once at a time.
        drop(shared.idle.take());
        loop {
            match Loaded::load(&shared.config, &thread) {
                Ok(loaded) => return Ok(Self { shared, loaded }),
                Err(error) => again(error)?,
            }
        }
    }

    /// What the token has written goes to the disk, before the caller commits what needs it.
    /// Outside of the module's thread, whose deadline is no measure for a busy disk.
    pub(crate) fn flush(&self, token: &TokenInfo) -> Result<(), TokenError> {
        if !self.loaded.needs_flush {
            return Ok(());
        }
        if let Some(warning) = flush::flush(&token.serial).map_err(TokenError::NotSynced)? {
            self.shared.warn(warning);
        }
        Ok(())
    }
}
