//! `history`: what the database remembers of starts and commands.

use ports::{Event, HistoryRow};

use crate::error::Error;
use crate::node::Store;
use crate::report::Report;

/// The newest first, at most `limit` rows.
///
/// # Errors
/// The database cannot be read.
pub fn rows(store: &Store, limit: usize) -> Result<Vec<HistoryRow>, Error> {
    Ok(store.history.rows(limit)?)
}

/// Notes what is done already, and changed nothing in the database: that it cannot be noted is no
/// failure of it. A node without a database, or with one of another version, has no place for it.
pub fn note_done(store: &Store, event: &Event, report: &mut Report) {
    if let Err(error) = store.history.note(event) {
        report.warnings.push(format!(
            "it is done, and could not be noted in the history: {}",
            ports::in_full(&error)
        ));
    }
}
