//! A ledger of PIN tries in memory, which fails where a test tells it to: the tests of the PIN
//! budget run on a real token and have to see what is noted when.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::{Fault, FaultKind, PinLedger, PinMemory, TryEnd};

/// Which methods fail, by name; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Failures(Rc<RefCell<BTreeMap<&'static str, FaultKind>>>);

impl Failures {
    /// From now on the method fails, and changes nothing.
    pub fn set(&self, method: &'static str, kind: FaultKind) {
        self.0.borrow_mut().insert(method, kind);
    }

    /// The method works again.
    pub fn clear(&self, method: &'static str) {
        self.0.borrow_mut().remove(method);
    }

    fn check(&self, method: &'static str) -> Result<(), Fault> {
        match self.0.borrow().get(method) {
            Some(kind) => Err(Fault::new(
                *kind,
                format!("the fake's `{method}` was told to fail"),
                "clear the failure",
            )),
            None => Ok(()),
        }
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
    fn open(&self, token_serial: &str, _wait: Duration) -> Result<Box<dyn PinLedger>, Fault> {
        self.failures.check("open")?;
        if self.held.replace(true) {
            return Err(Fault::new(
                FaultKind::Busy,
                "the fake ledger is held",
                "drop the one that holds it",
            ));
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

    fn note_try(&mut self) -> Result<(), Fault> {
        self.memory.failures.check("note_try")?;
        let mut tries = self.tries.clone();
        tries.unseen += 1;
        self.store(tries);
        Ok(())
    }

    fn end_try(&mut self, end: TryEnd) -> Result<(), Fault> {
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
