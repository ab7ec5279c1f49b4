//! Sessions that the server ends while a node takes the lock or holds it.

use std::time::{Duration, Instant};

use super::line::{Act, Line};
use super::{URL, WAIT, assert_says, fresh, quiet};
use crate::sandbox::Sandbox;
use crate::server::Server;

#[test]
fn a_lock_that_is_lost_in_the_middle_says_that_what_was_written_stays() {
    const USER: &str = "ended";
    let server = Server::shared();
    let role = format!("CREATE ROLE {USER} LOGIN; GRANT CREATE ON DATABASE postgres TO {USER}");
    server.sql("postgres", &role);
    let mut node = Sandbox::on_server();
    // The first that a new node does to the tables that it has made.
    let line = Line::to(server, "LOCK TABLE", 1..=1, Act::EndHolderOf(USER));
    node.set(URL, &line.url(USER));
    let said = node
        .run(&["startup"])
        .expect_error(69, "database_unavailable");
    assert_says(
        &said,
        &["lock", "was lost: what was written before stays", "goes on"],
    );
    let tables = node.sql("SELECT count(*) > 0 FROM refinery_schema_history");
    assert_eq!(tables.trim(), "t");
    node.run(&["startup"]).expect(0);
}

/// What a node asks on its way to the lock, with the number of times.
const ON_THE_WAY: [(&str, usize); 4] = [
    ("SELECT pg_backend_pid()", 4),
    ("SELECT set_config(s.name, v.value, false)", 1),
    ("SELECT pg_try_advisory_lock", 1),
    ("SELECT pg_backend_pid()::bigint, (SELECT", 1),
];

#[test]
fn a_lock_whose_connection_is_cut_while_it_is_taken_is_taken_again() {
    let _quiet = quiet();
    for (statement, times) in ON_THE_WAY {
        for number in 1..=times {
            for act in [Act::CutBefore, Act::CutAfter, Act::Refuse("57P01", "FATAL")] {
                let mut node = Sandbox::on_server();
                let line = Line::to(Server::shared(), statement, number..=number, act);
                node.set(URL, &line.url("tests"));
                node.run(&["startup", "--lock-wait", "0"]).expect(0);
                assert!(line.seen() > number, "{statement}");
            }
        }
    }
}

#[test]
fn a_lock_whose_connection_is_always_cut_is_69_after_the_wait() {
    let _quiet = quiet();
    for (statement, _) in ON_THE_WAY {
        let mut node = fresh();
        let line = Line::to(Server::shared(), statement, 1..=usize::MAX, Act::CutBefore);
        node.set(URL, &line.url("tests"));
        node.set(WAIT, "2s");
        let begun = Instant::now();
        let said = node.fails_unchanged(&["startup"], 69, "database_unavailable");
        assert!(begun.elapsed() >= Duration::from_secs(2), "{statement}");
        assert_says(&said, &["taking the lock failed", "connection closed"]);
        assert!(line.seen() > 2, "{statement}");
    }
}
