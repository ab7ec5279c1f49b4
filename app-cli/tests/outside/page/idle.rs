//! A page that nobody asks for anything looks at the node all the same.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::Waiting;
use crate::fleet::line::{Act, LOGIN, Line};
use crate::sandbox::{Sandbox, put};
use crate::server::Server;

#[test]
fn a_database_that_is_away_for_a_while_is_told_once_and_looked_at_again() {
    let mut sandbox = Sandbox::on_server();
    let second = sandbox.beside("second");
    let (first_refused, last_refused) = (8, 24);
    let refused = first_refused..=last_refused;
    let line = Line::to(
        Server::shared(),
        LOGIN,
        refused,
        Act::Refuse("57P03", "FATAL"),
    );
    sandbox.set("TRUSTPOINT_DATABASE_URL", &line.url("tests"));
    sandbox.set("TRUSTPOINT_DATABASE_WAIT", "1s");
    let waiting = Waiting::start(&sandbox);
    assert!(line.seen() < first_refused, "refused before the page");
    let mut client = waiting.client();
    // Each look is a login or some, so this comes to an end.
    while line.seen() <= last_refused {
        client.get("/").expect(200);
        sleep(Duration::from_millis(200));
    }
    second.run(&["setup", "--storage", "software"]).expect(0);
    let (status, said) = waiting.running.end();
    assert_eq!(status.code(), Some(7), "{said}");
    assert_eq!(said.matches("cannot be seen").count(), 1, "{said}");
    assert!(!said.contains("waiting for the database"), "{said}");
}

#[test]
fn a_state_that_cannot_be_read_is_told_with_its_cause_and_waited_for() {
    let sandbox = Sandbox::new();
    let mut waiting = Waiting::start(&sandbox);
    let state = sandbox.wizard_dir();
    fs::remove_dir_all(&state).unwrap();
    put(&state, "no directory");
    let told = waiting.running.wait_for_output("cannot be seen");
    assert!(told.contains("Not a directory"), "{told}");
    fs::remove_file(&state).unwrap();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    waiting.application();
}
