//! The tests from outside that are of a database, with one on a server.

use super::Tally;
use crate::run::{self, Result};

/// What the names of the tests begin with. The rest is about files, or about what no database has a
/// part in.
const MODULES: [&str; 5] = [
    "history::",
    "keys::",
    "recovery::",
    "scenarios::",
    "setup::",
];

/// What is about a database in a file, or asks it in words of SQLite's own.
const LEFT_OUT: [&str; 5] = [
    "bad_input::",
    "history::a_node_of_the_schema_before_events_keeps_its_history",
    "history::the_last_backup_stands_on_the_screen_and_in_the_metrics",
    "scenarios::physical::commands::a_backup_comes_back",
    "scenarios::version::version_downgrade_is_refused_and_names_the_snapshots_that_fit",
];

/// Runs them on PostgreSQL, which the tests start themselves.
pub fn run_on_postgres(tally: &mut Tally) -> Result<()> {
    let mut command = run::cargo();
    command
        .args(["test", "--package", "app-cli", "--test", "outside", "--"])
        .args(MODULES)
        .env("TRUSTPOINT_TEST_DATABASE", "postgres");
    for test in LEFT_OUT {
        command.args(["--skip", test]);
    }
    tally.run(&mut command)
}
