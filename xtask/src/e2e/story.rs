//! The stories.

mod setup;

use super::world::World;
use crate::run::Result;

/// A story: it fails where something is not as it has to be.
pub struct Story {
    pub number: u8,
    pub name: &'static str,
    pub what: &'static str,
    pub play: fn(&World<'_>) -> Result<()>,
}

/// In the order in which they are started: the long ones first.
const STORIES: &[Story] = &[
    Story {
        number: 1,
        name: "fresh",
        what: "a fresh node serves the setup page with the certificate of its log",
        play: setup::fresh,
    },
    Story {
        number: 2,
        name: "software",
        what: "software setup, restart: ready, the same certificate",
        play: setup::software,
    },
    Story {
        number: 3,
        name: "softhsm",
        what: "SoftHSM setup through p11-kit, restart: ready; no key in the clear in the database",
        play: setup::softhsm,
    },
];

impl Story {
    pub fn all() -> &'static [Self] {
        STORIES
    }

    /// By number or name.
    pub fn find(name: &str) -> Option<&'static Self> {
        STORIES
            .iter()
            .find(|story| story.name == name || story.number.to_string() == name)
    }

    pub fn list() -> String {
        let mut rows: Vec<_> = STORIES.iter().collect();
        rows.sort_by_key(|story| story.number);
        rows.iter()
            .map(|story| format!("  {:>2} {:<10} {}\n", story.number, story.name, story.what))
            .collect()
    }
}
