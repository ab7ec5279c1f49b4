//! Failures that a test asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use crate::{FaultKind, FileError};

/// Which operations fail, by the name of the port's method; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FileFailures(Rc<RefCell<BTreeMap<&'static str, FaultKind>>>);

impl FileFailures {
    /// From now on the operation fails with [`FaultKind::Denied`] or [`FaultKind::Io`], and changes
    /// nothing.
    pub fn set(&self, operation: &'static str, kind: FaultKind) {
        self.0.borrow_mut().insert(operation, kind);
    }

    /// The operation works again.
    pub fn clear(&self, operation: &'static str) {
        self.0.borrow_mut().remove(operation);
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<(), FileError> {
        match self.0.borrow().get(operation) {
            Some(kind) => Err(FileError::new(
                format!("the fake's `{operation}` was told to fail"),
                match kind {
                    FaultKind::Denied => ErrorKind::PermissionDenied.into(),
                    _ => ErrorKind::Other.into(),
                },
            )),
            None => Ok(()),
        }
    }
}
