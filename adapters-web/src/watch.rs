//! Whether somebody else has done what the page waits for.

use std::thread;
use std::time::Duration;

use usecases::report::ErrorReport;
use usecases::waits::{self, Waits};

use crate::desk::Clerk;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(400);

/// In how many of these looks a database that nodes share is asked too.
const ASK: u32 = 5;

/// Looks until the node no longer waits for what the start has found, while the page itself does
/// nothing to it. Blocks; ends as well when nobody waits for what it finds.
pub fn watch_others(clerk: &Clerk, waited: Waits, has_ended: &dyn Fn() -> bool) {
    let mut trouble = None;
    let mut looks: u32 = 0;
    while !has_ended() {
        thread::sleep(LOOK);
        looks = looks.wrapping_add(1);
        if clerk.is_taken() {
            continue;
        }
        let asks_database = looks.is_multiple_of(ASK);
        let found = look(clerk, asks_database);
        // The page may have begun something in the meantime.
        if clerk.is_taken() {
            continue;
        }
        match found {
            Ok(waits) if waits != waited => return,
            // The files alone say nothing of a database that cannot be asked.
            Ok(_) if asks_database => trouble = None,
            Ok(_) => {}
            // What cannot be seen now may be seen at the next look; it is told once.
            Err(error) => {
                if trouble.as_ref() != Some(&error.message) {
                    let line = format!("what the node waits for cannot be seen: {}", error.message);
                    clerk.note(&line);
                }
                trouble = Some(error.message);
            }
        }
    }
}

/// A node of its own for each look: one that was used before may remember what it saw.
fn look(clerk: &Clerk, asks_database: bool) -> Result<Waits, ErrorReport> {
    let node = clerk.node()?;
    let waits = if asks_database && node.store.is_shared() {
        waits::by_database(&node)
    } else {
        waits::by_files(&node)
    };
    waits.map_err(|error| clerk.explain(error))
}
