//! The tests from outside with their databases on a server, and what stays out there.

use std::process::Command;

use super::tally::Tally;
use crate::run::{self, Result};

/// Which tests are meant.
#[derive(Clone, Copy)]
pub enum Tests {
    /// Every one that is not left out.
    All,
    /// Those in which a server could make a difference: what a change has to pass.
    OfDatabase,
}

/// What the names of [`Tests::OfDatabase`] begin with.
const OF_DATABASE: [&str; 17] = [
    "backup::restore::",
    "backup::refusals::",
    "contradictions::",
    "copies::",
    "corrections::",
    "doctor::",
    "fleet::",
    "history::",
    "keys::",
    "last_copy::",
    "outputs::",
    "page::",
    "recovery::",
    "runbook::",
    "scenarios::",
    "setup::",
    "tls_admin::",
];

/// Tests that cannot be true of a database on a server.
struct LeftOut {
    /// What their names begin with: a module, or a test.
    tests: &'static str,
    why: &'static str,
}

const IS_FILE: &str = "it is about the file of a database: its bytes, mode, journal, lock or room";
const OLD_FILE: &str = "a database of that schema never stood on a server";
const OTHER_INSTALLATION: &str = "a server's tables make no way for another installation";
const CALLS: &str = "it counts the system calls by which SQLite writes";

const LEFT_OUT: [LeftOut; 24] = [
    LeftOut {
        tests: "backup::at_a_terminal_a_bar_shows_how_far_long_work_is",
        why: "what takes long there is the server, which does not say how far it is",
    },
    LeftOut {
        tests: "backup::file::",
        why: IS_FILE,
    },
    LeftOut {
        tests: "backup::kills::",
        why: CALLS,
    },
    LeftOut {
        tests: "backup::restore::a_cached_dek_of_another_database_is_removed_and_its_own_stays",
        why: OTHER_INSTALLATION,
    },
    LeftOut {
        tests: "bad_input::database::",
        why: IS_FILE,
    },
    LeftOut {
        tests: "bad_input::disk::",
        why: IS_FILE,
    },
    LeftOut {
        tests: "check_ahead::a_start_beside_a_",
        why: IS_FILE,
    },
    LeftOut {
        tests: "copies::schema_6::",
        why: OLD_FILE,
    },
    LeftOut {
        tests: "copies::scrub::",
        why: IS_FILE,
    },
    LeftOut {
        tests: "corrections::database::c04_",
        why: IS_FILE,
    },
    LeftOut {
        tests: "corrections::traces::c14_a_database_of_no_bytes_counts_as_missing",
        why: IS_FILE,
    },
    LeftOut {
        tests: "corrections::wizard::the_file_moves_before_the_mark_is_set",
        why: CALLS,
    },
    LeftOut {
        tests: "doctor::a_damaged_database",
        why: IS_FILE,
    },
    LeftOut {
        tests: "doctor::a_database_that_others_can_read",
        why: IS_FILE,
    },
    LeftOut {
        tests: "history::a_node_of_the_schema_before_events_keeps_its_history",
        why: OLD_FILE,
    },
    LeftOut {
        tests: "interop::writes::a_ready_software_start_writes_its_history_and_its_report_alone",
        why: CALLS,
    },
    LeftOut {
        tests: "journals::",
        why: IS_FILE,
    },
    LeftOut {
        tests: "key_durability::",
        why: CALLS,
    },
    LeftOut {
        tests: "kills::the_first_start_on_schema_6_killed_at_any_step_loses_no_key",
        why: OLD_FILE,
    },
    LeftOut {
        tests: "last_copy::c22_a_restore_",
        why: OTHER_INSTALLATION,
    },
    LeftOut {
        tests: "page::faults::a_database_that_another_process_holds_is_busy",
        why: IS_FILE,
    },
    LeftOut {
        tests: "pin_budget::ledger::c18_a_rejection_without_memory_for_its_hash_allows_one_more_try",
        why: "a connection needs more memory than the test leaves",
    },
    LeftOut {
        tests: "reference_faults::kills::f05_on_a_full_disk_nginx_keeps_a_whole_set",
        why: "it fails every write, and those to a server are among them",
    },
    LeftOut {
        tests: "reference_faults::node::f01_",
        why: IS_FILE,
    },
];

/// Runs them on PostgreSQL, which the tests start themselves.
pub fn run_on_postgres(meant: Tests, tally: &mut Tally) -> Result<()> {
    let mut listing = on_postgres();
    let listed = run::text_of(listing.arg("--list").current_dir(run::root()?))?;
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let mut command = on_postgres();
    for left_out in &LEFT_OUT {
        if !names.iter().any(|name| name.starts_with(left_out.tests)) {
            return Err(format!("there is no test {} to leave out", left_out.tests));
        }
        println!("left out: {}: {}", left_out.tests, left_out.why);
    }
    let is_meant = |name: &&&str| {
        let begins = |with: &str| name.starts_with(with);
        let is_wanted = match meant {
            Tests::All => true,
            Tests::OfDatabase => OF_DATABASE.iter().any(|with| begins(with)),
        };
        is_wanted && !LEFT_OUT.iter().any(|left_out| begins(left_out.tests))
    };
    command.arg("--exact").args(names.iter().filter(is_meant));
    tally.run(&mut command)
}

/// `cargo test` of the tests from outside; arguments of the test binary follow.
fn on_postgres() -> Command {
    let mut command = run::cargo();
    command
        .args(["test", "--package", "app-cli", "--test", "outside", "--"])
        .env("TRUSTPOINT_TEST_DATABASE", "postgres");
    command
}
