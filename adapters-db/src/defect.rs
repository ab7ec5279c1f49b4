//! Defects of this program.

use ports::{Cause, StoreError};

/// What this program did wrong itself.
pub(crate) fn defect(what: impl Into<String>, source: Option<Cause>) -> StoreError {
    StoreError::Defect {
        what: what.into(),
        source,
    }
}
