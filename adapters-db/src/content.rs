//! What a database holds: ours or nothing, and how far it is migrated (C4, C6).

use camino::Utf8Path;
use domain::SchemaState;
use ports::StoreError;

/// What a database that can be read holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content {
    /// No table of anybody: a first start that was killed at once.
    Nothing,
    /// Our schema.
    Schema(SchemaState),
}

impl Content {
    /// This, unless its migrations are unknown to this program: then nothing is done with it (C6).
    pub(crate) fn ensure_known(self, name: &Utf8Path) -> Result<Self, StoreError> {
        match self {
            Self::Nothing | Self::Schema(SchemaState::Current | SchemaState::Behind) => Ok(self),
            Self::Schema(state @ (SchemaState::Newer | SchemaState::Diverged)) => {
                Err(StoreError::SchemaUnknown {
                    path: name.to_string(),
                    state,
                })
            }
        }
    }

    /// The state of our schema, where this program knows it; a write needs that.
    pub(crate) fn ensure_initialised(self, name: &Utf8Path) -> Result<SchemaState, StoreError> {
        match self.ensure_known(name)? {
            Self::Nothing => Err(not_initialised(name)),
            Self::Schema(state) => Ok(state),
        }
    }
}

/// A write before the first migration.
pub(crate) fn not_initialised(name: &Utf8Path) -> StoreError {
    StoreError::NotInitialised {
        path: name.to_string(),
    }
}
