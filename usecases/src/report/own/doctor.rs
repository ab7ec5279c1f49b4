//! What `doctor` reports.

use ports::FaultKind;
use serde::Serialize;

use crate::doctor::{Group, Verdict};
use crate::report::spelling::{Name, Named, named};

/// What `doctor` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doctor {
    /// Every check, in the order in which they build on one another.
    pub checks: Vec<CheckReport>,
}

/// One check of `doctor`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckReport {
    /// What the check is about.
    pub group: Name<Group>,
    /// Its name, like `mode_database`.
    pub name: &'static str,
    /// How it ended: what is right, what should be dealt with or could not be asked, what is wrong.
    pub result: Name<Verdict>,
    /// What was seen; for people.
    pub detail: String,
    /// What to do about it; empty where there is nothing. For people.
    pub hint: String,
}

named!(Group);

impl Named for Verdict {
    /// A failure has one spelling, whatever its kind.
    const ALL: &'static [Self] = &[Self::Pass, Self::Warn, Self::Fail(FaultKind::Internal)];

    fn spelling(self) -> &'static str {
        self.name()
    }
}
