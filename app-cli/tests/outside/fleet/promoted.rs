//! A standby, and a primary that dies.

use super::{URL, WAIT, assert_says, ready};
use crate::commands::Running;
use crate::sandbox::Sandbox;
use crate::server::Server;

fn of_both(first: &Server, second: &Server) -> String {
    let (first, second) = (first.port(), second.port());
    format!("postgresql://tests@127.0.0.1:{first},127.0.0.1:{second}/postgres")
}

#[test]
fn a_standby_alone_is_69_and_beside_its_primary_the_primary_is_used() {
    let mut node = ready();
    let standby = Server::shared().standby();
    node.set(URL, &standby.url("tests", "postgres"));
    let said = node.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert_says(
        &said,
        &["it is a standby", "name the primary in database.url"],
    );
    for url in [
        of_both(&standby, Server::shared()),
        of_both(Server::shared(), &standby),
    ] {
        node.set(URL, &url);
        node.run(&["startup", "--require-ready"]).expect(0);
    }
}

#[test]
fn a_start_waits_for_the_standby_to_be_promoted_where_the_primary_is_dead() {
    let primary = Server::start();
    let standby = primary.standby();
    let mut node = Sandbox::on_server();
    node.set(URL, &of_both(&primary, &standby));
    node.set(WAIT, "1000s");
    node.run(&["setup", "--storage", "software"]).expect(0);
    let served = node
        .run(&["startup", "--require-ready"])
        .expect(0)
        .fingerprint();
    let written = primary.sql("postgres", "SELECT pg_current_wal_lsn()");
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    while standby.sql("postgres", &replayed) != "t" {}

    primary.kill();
    let start = ["--format", "json", "startup", "--require-ready"];
    let mut waiting = Running::start(&mut node.command(&start));
    waiting.wait_for_error("waiting for the database");
    standby.promote();
    let (status, report) = waiting.end();
    assert_eq!(status.code(), Some(0), "{report}");
    assert_eq!(
        node.run(&["startup", "--require-ready"])
            .expect(0)
            .fingerprint(),
        served
    );
}
