//! `history`: the starts that the database remembers. Nothing is changed, no lock is taken.

use ports::HistoryRow;

use crate::error::Error;
use crate::node::Store;

/// The newest first, at most `limit` rows.
///
/// # Errors
/// The database cannot be read.
pub fn rows(store: &Store, limit: usize) -> Result<Vec<HistoryRow>, Error> {
    Ok(store.history.rows(limit)?)
}
