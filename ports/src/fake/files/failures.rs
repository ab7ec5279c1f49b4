//! Failures that a test asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{Fault, FaultKind};

/// Which operations fail, by the name of the port's method; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FileFailures(Rc<RefCell<BTreeMap<&'static str, FaultKind>>>);

impl FileFailures {
    /// From now on the operation fails, and changes nothing.
    pub fn set(&self, operation: &'static str, kind: FaultKind) {
        self.0.borrow_mut().insert(operation, kind);
    }

    /// The operation works again.
    pub fn clear(&self, operation: &'static str) {
        self.0.borrow_mut().remove(operation);
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<(), Fault> {
        match self.0.borrow().get(operation) {
            Some(kind) => Err(Fault::new(
                *kind,
                format!("the fake's `{operation}` was told to fail"),
                "clear the failure",
            )),
            None => Ok(()),
        }
    }
}
