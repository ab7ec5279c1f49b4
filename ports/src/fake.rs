//! A ledger of PIN tries in memory, which fails where a test tells it to: the tests of the PIN
//! budget run on a real token and have to see what is noted when.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use crate::{FileError, PinLedger, PinMemory, PinMemoryError, TryEnd};

/// Which methods fail, by name; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Failures(Rc<RefCell<BTreeSet<&'static str>>>);

impl Failures {
    /// From now on the method fails as on a full disk, and changes nothing.
    pub fn set(&self, method: &'static str) {
        self.0.borrow_mut().insert(method);
    }

    /// The method works again.
    pub fn clear(&self, method: &'static str) {
        self.0.borrow_mut().remove(method);
    }

    fn check(&self, method: &'static str) -> Result<(), FileError> {
        if self.0.borrow().contains(method) {
            let error = ErrorKind::StorageFull.into();
            return Err(FileError::new("writing the fake ledger", error));
        }
        Ok(())
    }
}

/// The ledger of PIN tries. It never sleeps: a holder keeps it for all of any wait.
#[derive(Clone, Debug, Default)]
pub struct FakePinMemory {
    /// Operations that fail.
    pub failures: Failures,
    held: Rc<Cell<bool>>,
    entries: Rc<RefCell<BTreeMap<String, Tries>>>,
}

#[derive(Clone, Debug, Default)]
struct Tries {
    unseen: u8,
    rejected: Vec<String>,
}

struct FakeLedger {
    memory: FakePinMemory,
    serial: String,
    tries: Tries,
}

impl Drop for FakeLedger {
    fn drop(&mut self) {
        self.memory.held.set(false);
    }
}

impl FakeLedger {
    fn store(&mut self, tries: Tries) {
        self.tries = tries;
        let mut entries = self.memory.entries.borrow_mut();
        entries.insert(self.serial.clone(), self.tries.clone());
    }
}

impl PinMemory for FakePinMemory {
    fn open(
        &self,
        token_serial: &str,
        _wait: Duration,
    ) -> Result<Box<dyn PinLedger>, PinMemoryError> {
        self.failures.check("open")?;
        if self.held.replace(true) {
            return Err(PinMemoryError::Busy {
                path: "fake".to_owned(),
                waited: Duration::ZERO,
            });
        }
        let tries = self.entries.borrow().get(token_serial).cloned();
        Ok(Box::new(FakeLedger {
            memory: self.clone(),
            serial: token_serial.to_owned(),
            tries: tries.unwrap_or_default(),
        }))
    }
}

impl PinLedger for FakeLedger {
    fn rejected(&self) -> &[String] {
        &self.tries.rejected
    }

    fn unseen(&self) -> u8 {
        self.tries.unseen
    }

    fn note_try(&mut self) -> Result<(), PinMemoryError> {
        self.memory.failures.check("note_try")?;
        let mut tries = self.tries.clone();
        tries.unseen += 1;
        self.store(tries);
        Ok(())
    }

    fn end_try(&mut self, end: TryEnd) -> Result<(), PinMemoryError> {
        self.memory.failures.check("end_try")?;
        let mut tries = self.tries.clone();
        tries.unseen = tries.unseen.saturating_sub(1);
        match end {
            TryEnd::Accepted => tries = Tries::default(),
            TryEnd::Rejected { hash } => tries.rejected.push(hash),
            TryEnd::Other => {}
        }
        self.store(tries);
        Ok(())
    }
}
