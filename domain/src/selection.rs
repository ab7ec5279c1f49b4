//! The matrix: which scenario a context is. The rows of the specification and nothing else.

use std::cmp::Ordering;

use crate::{
    ContextError, RestoreScenario, SchemaState, StartupContext, StartupScenario, StorageType,
    WizardState,
};

/// The scenario of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Selection {
    /// How the database stands to the binary.
    pub startup: StartupScenario,
    /// What has to be restored, where a restore follows.
    pub restore: Option<RestoreScenario>,
}

/// A context that is none of the scenarios.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SelectionError {
    /// The database has no storage configuration where it must have one.
    #[error("Unexpected storage configuration")]
    UnexpectedStorage,
    /// The observation left out what the storage needs.
    #[error(transparent)]
    Incomplete(#[from] ContextError),
}

/// Selects both scenarios of a start.
///
/// # Errors
/// A restore follows, and the context has no storage configuration to restore from.
pub fn select(context: &StartupContext) -> Result<Selection, SelectionError> {
    use StartupScenario as S;
    let startup = select_startup(context);
    let restore = match startup {
        S::VersionMatch | S::VersionUpgrade => Some(select_restore(context)?),
        // A node that was set up gets its right outcome at once (C20), and a storage that no
        // start can serve is refused now, not at the next start.
        S::DbInitializedNoVersion
            if context.is_wizard_completed() || context.is_physical_hsm_storage() =>
        {
            Some(select_restore(context)?)
        }
        S::DbNotInitialized | S::DbInitializedNoVersion | S::VersionDowngrade => None,
    };
    Ok(Selection { startup, restore })
}

/// The first table: database and version.
#[must_use]
pub fn select_startup(context: &StartupContext) -> StartupScenario {
    use SchemaState::{Behind, Current, Diverged, Newer};
    use StartupScenario as S;
    let version = context
        .db_version
        .as_ref()
        .map(|db| context.current_version.precedence(db));
    match (context.db_initialized, context.schema, version) {
        (false, Current | Behind | Newer | Diverged, _) => S::DbNotInitialized,
        (true, Newer | Diverged, _) => S::VersionDowngrade,
        (true, Current | Behind, None) => S::DbInitializedNoVersion,
        (true, Current | Behind, Some(Ordering::Equal)) => S::VersionMatch,
        (true, Current | Behind, Some(Ordering::Greater)) => S::VersionUpgrade,
        (true, Current | Behind, Some(Ordering::Less)) => S::VersionDowngrade,
    }
}

/// The second table: storage, wizard and DEK.
///
/// # Errors
/// There is no storage configuration, or HSM storage whose DEK was not looked for.
pub fn select_restore(context: &StartupContext) -> Result<RestoreScenario, SelectionError> {
    use Dek::{Cached, KekLost, NotCached};
    use RestoreScenario as R;
    use WizardState::{Completed, Incomplete};
    let wizard = context.wizard_state;
    Ok(
        match context
            .storage_type
            .ok_or(SelectionError::UnexpectedStorage)?
        {
            StorageType::Software => match wizard {
                Completed => R::SoftwareWizardCompleted,
                Incomplete => R::SoftwareWizardIncomplete,
            },
            StorageType::SoftHsm => match (wizard, Dek::of(context)?) {
                (Completed | Incomplete, KekLost) => R::SoftHsmNewKekWizardCompleted,
                (Completed, Cached) => R::SoftHsmWizardCompletedDekCached,
                (Completed, NotCached) => R::SoftHsmWizardCompletedDekNotCached,
                (Incomplete, Cached) => R::SoftHsmWizardIncompleteDekCached,
                (Incomplete, NotCached) => R::SoftHsmWizardIncompleteDekNotCached,
            },
            StorageType::PhysicalHsm => match (wizard, Dek::of(context)?) {
                (Completed, Cached) => R::PhysicalHsmWizardCompletedDekCached,
                (Completed, NotCached | KekLost) => R::PhysicalHsmWizardCompletedDekNotCached,
                (Incomplete, Cached) => R::PhysicalHsmWizardIncompleteDekCached,
                (Incomplete, NotCached | KekLost) => R::PhysicalHsmWizardIncompleteDekNotCached,
            },
        },
    )
}

/// The third column of the second table.
enum Dek {
    Cached,
    NotCached,
    /// Not cached, no KEK on the token, backup-encrypted DEK present: checked first.
    KekLost,
}

impl Dek {
    fn of(context: &StartupContext) -> Result<Self, ContextError> {
        Ok(if context.is_new_kek_scenario() {
            Self::KekLost
        } else if context.is_dek_cached()? {
            Self::Cached
        } else {
            Self::NotCached
        })
    }
}
