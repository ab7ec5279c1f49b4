//! Whether somebody else has done what the page waits for.

use std::thread;
use std::time::Duration;

use usecases::report::ErrorReport;
use usecases::waits::{self, Waits};

use crate::desk::Clerk;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(400);

/// In each how many of these looks the database is asked too: it may have been restored.
const ASK: u32 = 2;

/// The same of one on a server, where that is a login.
const ASK_SERVER: u32 = 5;

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
        let found = look(clerk, looks);
        // The page may have begun something in the meantime.
        if clerk.is_taken() {
            continue;
        }
        match found {
            // From here on nothing is begun: it would run beside the start that follows.
            Ok((waits, _)) if waits != waited && clerk.take() => return,
            // The files alone say nothing of a database that cannot be asked.
            Ok((_, asked_database)) if asked_database => trouble = None,
            Ok(_) => {}
            // What cannot be seen now may be seen at the next look; it is told once.
            Err(error) => {
                if trouble.as_ref() != Some(&error.message) {
                    let why = [&[error.message.clone()][..], &error.causes].concat();
                    let why = why.join(": ");
                    clerk.note(&format!("what the node waits for cannot be seen: {why}"));
                }
                trouble = Some(error.message);
            }
        }
    }
}

/// What the node waits for, and whether the database was asked. A node of its own for each look: one that
/// was used before may remember what it saw.
fn look(clerk: &Clerk, number: u32) -> Result<(Waits, bool), ErrorReport> {
    let node = clerk.node()?;
    let each = if node.store.is_shared() {
        ASK_SERVER
    } else {
        ASK
    };
    let asks_database = number.is_multiple_of(each);
    let waits = if asks_database {
        waits::by_database(&node)
    } else {
        waits::by_files(&node)
    };
    let waits = waits.map_err(|error| clerk.explain(error))?;
    Ok((waits, asks_database))
}
