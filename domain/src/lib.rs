//! The decisions of a Trustpoint start, and nothing else.
//!
//! A start observes the node, and what it saw becomes an [`Observed`]. From that alone
//! [`select`] names the scenario and [`Plan::of`] lists the steps. Nothing in this crate does
//! I/O, reads a clock or the environment, so every decision can be tested over its whole input
//! space and shown before it is carried out (`startup --dry-run`).

#![warn(clippy::wildcard_enum_match_arm)]

mod contradiction;
mod dek_ways;
mod evidence;
mod identity;
mod observed;
mod plan;
mod scenario;
mod selection;
mod version;
mod wizard;

pub use contradiction::{Contradiction, CopyFacts, DekFacts, WrappedBy};
pub use dek_ways::{
    CacheCopy, CacheEvent, CacheFate, DekCacheState, DekWays, Forgotten, KekState, WayBack,
};
pub use evidence::Trace;
pub use identity::{IdentityError, InstallationId, KekId, hex};
pub use observed::{Database, Installed, Observed, SchemaState, Storage, StorageType, Wizard};
pub use plan::{Plan, Refusal, Step, TlsGoal};
pub use scenario::{Outcome, RestoreScenario, StartupScenario};
pub use selection::{Selection, select, select_restore, select_startup};
pub use version::{Version, VersionError};
pub use wizard::{SetupWizardState, WizardState};

/// Length of the data-encryption key in bytes (the reference's `DEK_EXPECTED_LENGTH`).
pub const DEK_EXPECTED_LENGTH: usize = 32;

/// Label of the token where none is configured (the reference's `DEFAULT_TOKEN_LABEL`).
pub const DEFAULT_TOKEN_LABEL: &str = "Trustpoint-SoftHSM";

/// Label of the key-encryption key on the token.
pub const KEK_LABEL: &str = "trustpoint-kek";
