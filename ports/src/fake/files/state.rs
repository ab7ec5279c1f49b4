//! Lock, PIN memory, DEK cache and wizard state in memory; clones share their state.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use domain::SetupWizardState;

use super::FileFailures;
use crate::{
    CachedDek, Dek, DekCache, DekCacheError, Fault, FaultKind, LockError, PinLedger, PinMemory,
    StartLock, StartLockGuard, TryEnd, WizardDirectory, WizardError, WizardStore,
};

/// The start lock. It never sleeps: a holder keeps it for all of any wait.
#[derive(Clone, Debug, Default)]
pub struct FakeLock {
    /// Operations that fail.
    pub failures: FileFailures,
    held: Rc<Cell<bool>>,
}

struct FakeLockGuard(Rc<Cell<bool>>);

impl StartLockGuard for FakeLockGuard {}

impl Drop for FakeLockGuard {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl StartLock for FakeLock {
    fn acquire(
        &self,
        wait: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError> {
        self.failures.check("acquire")?;
        if self.held.get() {
            if !wait.is_zero() {
                waiting();
            }
            return Err(LockError::Busy {
                path: "/fake/lock".into(),
                waited: wait,
            });
        }
        self.held.set(true);
        Ok(Box::new(FakeLockGuard(Rc::clone(&self.held))))
    }
}

/// The ledger of PIN tries. It never sleeps: a holder keeps it for all of any wait.
#[derive(Clone, Debug, Default)]
pub struct FakePinMemory {
    /// Operations that fail.
    pub failures: FileFailures,
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

/// The DEK cache.
#[derive(Clone, Debug, Default)]
pub struct FakeDekCache {
    /// Operations that fail; `check` fails `write` as well.
    pub failures: FileFailures,
    content: Rc<RefCell<Option<CachedDek>>>,
    warning: Rc<RefCell<Option<String>>>,
}

impl FakeDekCache {
    /// From now on the file cannot be a DEK.
    pub fn spoil(&self, why: &str) {
        *self.content.borrow_mut() = Some(CachedDek::Unusable(why.to_owned()));
    }

    /// From now on only the configuration makes the directory allowed.
    pub fn warn(&self, warning: &str) {
        *self.warning.borrow_mut() = Some(warning.to_owned());
    }
}

impl DekCache for FakeDekCache {
    fn check(&self) -> Result<Option<String>, DekCacheError> {
        self.failures.check("check")?;
        Ok(self.warning.borrow().clone())
    }

    fn read(&self) -> Result<CachedDek, DekCacheError> {
        self.failures.check("read")?;
        Ok(self.content.borrow().clone().unwrap_or(CachedDek::Absent))
    }

    fn exists(&self) -> Result<bool, DekCacheError> {
        self.failures.check("exists")?;
        Ok(self.content.borrow().is_some())
    }

    fn check_writable(&self) -> Result<(), DekCacheError> {
        Ok(self.failures.check("check_writable")?)
    }

    fn write(&self, dek: &Dek) -> Result<bool, DekCacheError> {
        self.check()?;
        self.failures.check("write")?;
        let mut content = self.content.borrow_mut();
        if matches!(&*content, Some(CachedDek::Present(cached)) if cached.is_same(dek)) {
            return Ok(false);
        }
        *content = Some(CachedDek::Present(dek.clone()));
        Ok(true)
    }

    fn remove(&self) -> Result<bool, DekCacheError> {
        self.failures.check("remove")?;
        Ok(self.content.borrow_mut().take().is_some())
    }

    fn path(&self) -> String {
        "/fake/run/dek".to_owned()
    }
}

/// The wizard's state directory.
#[derive(Clone, Debug, Default)]
pub struct FakeWizardStore {
    /// Operations that fail.
    pub failures: FileFailures,
    names: Rc<RefCell<Vec<String>>>,
}

impl FakeWizardStore {
    /// Puts a file there, also one that must not be there.
    pub fn put(&self, name: &str) {
        self.names.borrow_mut().push(name.to_owned());
    }
}

impl WizardStore for FakeWizardStore {
    fn read(&self) -> Result<WizardDirectory, WizardError> {
        self.failures.check("read")?;
        let names = self.names.borrow();
        match names.as_slice() {
            [] => return Ok(WizardDirectory::Empty),
            [name] => {
                if let Ok(state) = name.parse() {
                    return Ok(WizardDirectory::State(state));
                }
            }
            _ => {}
        }
        Err(WizardError::NotOneState {
            directory: self.directory(),
            problem: "holds",
            names: names.clone(),
        })
    }

    fn go_to(&self, to: SetupWizardState) -> Result<bool, WizardError> {
        let from = self.read()?.state();
        if !SetupWizardState::may_move(from, to) {
            return Err(WizardError::ForbiddenMove { from, to });
        }
        self.failures.check("go_to")?;
        *self.names.borrow_mut() = vec![to.name().to_owned()];
        Ok(from != Some(to))
    }

    fn check_writable(&self) -> Result<(), WizardError> {
        Ok(self.failures.check("check_writable")?)
    }

    fn directory(&self) -> String {
        "/fake/wizard".to_owned()
    }
}
