//! What everything that comes of one module in one process shares.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use ports::{Fault, PinMemory};

use crate::config::HsmConfig;
use crate::flush;
use crate::interrupts::Interrupts;

/// What is known from the beginning, and what is remembered to the end.
pub(crate) struct Shared {
    pub(crate) config: HsmConfig,
    pub(crate) memory: Box<dyn PinMemory>,
    pub(crate) interrupts: Rc<dyn Interrupts>,
    /// The serial number of the token on which a PIN was tried: one in the life of the process.
    pub(crate) tried: OnceCell<String>,
    /// What nobody was told of yet.
    pub(crate) warnings: RefCell<Vec<String>>,
}

impl Shared {
    /// What the token with this serial number has written goes to the disk, before the caller
    /// commits what needs it. Outside of the module's thread, whose deadline is no measure for a
    /// busy disk.
    pub(crate) fn flush(&self, serial: &str) -> Result<(), Fault> {
        for warning in flush::flush(serial)? {
            let mut warnings = self.warnings.borrow_mut();
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(())
    }
}
