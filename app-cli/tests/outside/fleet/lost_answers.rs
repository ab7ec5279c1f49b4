//! A connection that is cut around a commit: what was done is looked up, and nothing is done twice.

use super::URL;
use super::line::{Act, Line};
use crate::sandbox::Sandbox;
use crate::server::Server;

const COMMANDS: [&[&str]; 4] = [
    &["startup"],
    &["setup", "--storage", "software"],
    &["startup", "--require-ready"],
    &["tls", "renew"],
];

/// How much there is of all that would be there twice.
fn amounts(node: &Sandbox) -> String {
    let amounts = [
        "SELECT startup_scenario || starts FROM startup_history ORDER BY id",
        "SELECT event FROM event ORDER BY id",
        "SELECT source FROM credential ORDER BY id",
        "SELECT 'active', count(*) FROM active_tls_server_credential",
        "SELECT 'installation', count(*) FROM installation",
        "SELECT version FROM refinery_schema_history ORDER BY version",
    ];
    amounts.map(|sql| node.sql(sql)).concat()
}

/// Runs every command on a new node, and cuts the commit of this number of each.
fn with_cut(number: usize, act: Act) -> (String, usize) {
    let mut node = Sandbox::on_server();
    let mut cut = 0;
    for command in COMMANDS {
        let line = Line::to(Server::shared(), "COMMIT", number..=number, act);
        node.set(URL, &line.url("tests"));
        node.run(command).expect(0);
        cut += usize::from(line.seen() >= number);
    }
    (amounts(&node), cut)
}

fn every_commit_may_be_cut(act: Act) {
    let (undisturbed, none) = with_cut(usize::MAX, act);
    assert_eq!(none, 0);
    let mut number = 1;
    loop {
        let (amounts, cut) = with_cut(number, act);
        assert_eq!(amounts, undisturbed, "commit {number} was cut");
        if cut == 0 {
            break;
        }
        number += 1;
    }
    assert!(number > 3, "a start commits more than {number} times");
}

#[test]
fn a_commit_that_never_arrives_is_done_again() {
    every_commit_may_be_cut(Act::CutBefore);
}

#[test]
fn a_commit_that_arrives_late_is_waited_for() {
    every_commit_may_be_cut(Act::CutMeanwhile);
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_done_twice() {
    every_commit_may_be_cut(Act::CutAfter);
}
