//! The exit codes: a contract that scripts rely on.

use domain::Outcome;
use ports::FaultKind;
use usecases::report::Report;

/// The command did its work.
pub const SUCCESS: u8 = 0;
/// The node waits for setup (`status`, `startup --require-ready`).
pub const SETUP_REQUIRED: u8 = 10;
/// The node waits for the backup password (`status`, `startup --require-ready`).
pub const RECOVERY_REQUIRED: u8 = 11;

/// The code of a failure; the numbers from 64 on are those of sysexits.h.
#[must_use]
pub const fn of_fault(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::Usage => 2,
        FaultKind::VersionDowngrade => 12,
        FaultKind::StorageUnsupported => 13,
        FaultKind::DataCorrupt => 65,
        FaultKind::HsmUnavailable | FaultKind::DatabaseUnavailable => 69,
        FaultKind::Internal => 70,
        FaultKind::Io => 74,
        FaultKind::Busy => 75,
        FaultKind::Denied => 77,
        FaultKind::Config => 78,
    }
}

/// The code of an outcome, where `require_ready` asks that only a ready node is a success.
const fn of_outcome(outcome: Outcome, require_ready: bool) -> u8 {
    match outcome {
        Outcome::SetupRequired if require_ready => SETUP_REQUIRED,
        Outcome::RecoveryRequired if require_ready => RECOVERY_REQUIRED,
        Outcome::Ready | Outcome::SetupRequired | Outcome::RecoveryRequired => SUCCESS,
        // A refusal and a failure carry a fault, whose kind has the code.
        Outcome::Refused | Outcome::Failed => of_fault(FaultKind::Internal),
    }
}

/// The code of a report.
#[must_use]
pub fn of_report(report: &Report, require_ready: bool) -> u8 {
    match (&report.error, report.outcome) {
        (Some(error), _) => of_fault(error.kind),
        (None, Some(outcome)) => of_outcome(outcome, require_ready),
        (None, None) => SUCCESS,
    }
}

/// A row of the documented table: code, kinds, when.
pub struct Row {
    /// The code.
    pub code: u8,
    /// The `kind` of the report's error; empty where there is none.
    pub kinds: &'static [FaultKind],
    /// When.
    pub when: &'static str,
}

/// Every exit code, for `--help` and the generated documents.
pub const TABLE: &[Row] = &[
    Row {
        code: SUCCESS,
        kinds: &[],
        when: "the command did its work; for startup, also when the node now waits for setup or \
               for the backup password",
    },
    Row {
        code: 2,
        kinds: &[FaultKind::Usage],
        when: "bad arguments",
    },
    Row {
        code: SETUP_REQUIRED,
        kinds: &[],
        when: "status and startup --require-ready: the node waits for setup",
    },
    Row {
        code: RECOVERY_REQUIRED,
        kinds: &[],
        when: "status and startup --require-ready: the node waits for the backup password",
    },
    Row {
        code: 12,
        kinds: &[FaultKind::VersionDowngrade],
        when: "the database is newer than this binary, by version or by schema",
    },
    Row {
        code: 13,
        kinds: &[FaultKind::StorageUnsupported],
        when: "physical HSM, where hsm.physical is not set",
    },
    Row {
        code: 65,
        kinds: &[FaultKind::DataCorrupt],
        when: "database, wizard state, wrapped DEK, credential or version that cannot be right; a \
               database that is missing where one stood before",
    },
    Row {
        code: 69,
        kinds: &[FaultKind::HsmUnavailable, FaultKind::DatabaseUnavailable],
        when: "module, daemon or token cannot be reached; database cannot be opened",
    },
    Row {
        code: 70,
        kinds: &[FaultKind::Internal],
        when: "a defect of this program",
    },
    Row {
        code: 74,
        kinds: &[FaultKind::Io],
        when: "a read or write failed: full disk, read-only file system; a file that would be \
               overwritten; a report that nobody got",
    },
    Row {
        code: 75,
        kinds: &[FaultKind::Busy],
        when: "another start held the lock for longer than --lock-wait",
    },
    Row {
        code: 77,
        kinds: &[FaultKind::Denied],
        when: "PIN missing, rejected, locked or on its last try; wrong backup password; no \
               permission",
    },
    Row {
        code: 78,
        kinds: &[FaultKind::Config],
        when: "bad configuration; storage that is not configured where it must be",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_code_does() {
        for kind in FaultKind::ALL {
            let rows: Vec<_> = TABLE
                .iter()
                .filter(|row| row.kinds.contains(&kind))
                .collect();
            assert_eq!(rows.len(), 1, "{kind:?}");
            assert_eq!(rows[0].code, of_fault(kind), "{kind:?}");
        }
    }
}
