//! A file system in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::FileFailures;
use crate::{FileError, FileSystem, FreeSpace, PathFacts};

/// Paths that a test has put there.
#[derive(Clone, Debug, Default)]
pub struct FakeFileSystem {
    /// Operations that fail.
    pub failures: FileFailures,
    paths: Rc<RefCell<BTreeMap<String, PathFacts>>>,
}

impl FakeFileSystem {
    /// Puts something there.
    pub fn put(&self, path: &str, facts: PathFacts) {
        self.paths.borrow_mut().insert(path.to_owned(), facts);
    }
}

impl FileSystem for FakeFileSystem {
    fn look(&self, path: &str) -> Result<Option<PathFacts>, FileError> {
        self.failures.check("look")?;
        Ok(self.paths.borrow().get(path).copied())
    }

    /// There is always enough.
    fn free_space(&self, _path: &str) -> Result<FreeSpace, FileError> {
        self.failures.check("free_space")?;
        Ok(FreeSpace {
            free: u64::MAX,
            total: 0,
        })
    }
}
