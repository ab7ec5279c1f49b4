//! Places in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::FileFailures;
use crate::{Fault, PlaceFacts, Places, Room};

/// Places that a test has put there.
#[derive(Clone, Debug, Default)]
pub struct FakePlaces {
    /// Operations that fail.
    pub failures: FileFailures,
    places: Rc<RefCell<BTreeMap<String, PlaceFacts>>>,
}

impl FakePlaces {
    /// Puts something there.
    pub fn put(&self, path: &str, facts: PlaceFacts) {
        self.places.borrow_mut().insert(path.to_owned(), facts);
    }
}

impl Places for FakePlaces {
    fn look(&self, path: &str) -> Result<Option<PlaceFacts>, Fault> {
        self.failures.check("look")?;
        Ok(self.places.borrow().get(path).copied())
    }

    /// There is always room.
    fn room(&self, _path: &str) -> Result<Room, Fault> {
        self.failures.check("room")?;
        Ok(Room {
            free: u64::MAX,
            total: 0,
        })
    }
}
