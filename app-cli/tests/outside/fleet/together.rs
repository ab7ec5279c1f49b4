//! Many nodes at once, and the lock that lets one of them change what is everybody's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::thread;

use super::{URL, WAIT, assert_says, crowd, quiet, ready};
use crate::commands::Running;
use crate::sandbox::{Run, Sandbox};
use crate::server::{Server, new_name};

const NODES: usize = 50;

/// As long as whoever comes last waits for all the others, however slow the machine is.
const LAST_WAITS: [&str; 2] = ["--lock-wait", "1000"];

/// So many nodes on the database of this one.
fn fleet_of(first: &Sandbox) -> Vec<Sandbox> {
    (1..=NODES)
        .map(|number| first.beside(&format!("node-{number}")))
        .collect()
}

/// Runs it on all nodes at the same time; each of them ends well.
#[track_caller]
fn all_run(nodes: &[Sandbox], arguments: &[&str]) -> Vec<Run> {
    let _crowd = crowd();
    thread::scope(|scope| {
        let runs: Vec<_> = nodes
            .iter()
            .map(|node| scope.spawn(|| node.run(arguments)))
            .collect();
        runs.into_iter()
            .map(|run| run.join().unwrap().expect(0))
            .collect()
    })
}

/// There is one of each, however many nodes there are.
#[track_caller]
fn assert_one_installation(node: &Sandbox, served: &[Run]) {
    let counted = node.sql(
        "SELECT (SELECT count(*) FROM installation), (SELECT count(*) FROM app_version), \
         (SELECT count(*) FROM credential), (SELECT count(*) FROM active_tls_server_credential), \
         (SELECT count(*) - count(DISTINCT version) FROM refinery_schema_history), \
         (SELECT count(DISTINCT node) FROM startup_history)",
    );
    assert_eq!(counted.trim(), format!("1|1|1|1|0|{}", served.len()));
    let fingerprint = node.sql("SELECT sha256_fingerprint FROM credential");
    for run in served {
        assert_eq!(run.fingerprint(), fingerprint.trim());
    }
}

#[test]
fn nodes_that_start_at_once_on_an_empty_database_make_one_installation() {
    let nodes = fleet_of(&Sandbox::on_server());
    let runs = all_run(&nodes, &[&["startup"], &LAST_WAITS[..]].concat());
    let made = runs
        .iter()
        .filter(|run| run.startup_scenario() == "DB_NOT_INITIALIZED");
    assert_eq!(made.count(), 1);
    let first = &nodes[0];
    let history = "SELECT startup_scenario, sum(starts) FROM startup_history GROUP BY 1 ORDER BY 1";
    let expected = format!("DB_NOT_INITIALIZED|1\nVERSION_MATCH|{}", NODES - 1);
    assert_eq!(first.sql(history).trim(), expected);
    first.run(&["setup", "--storage", "software"]).expect(0);
    let served = all_run(&nodes, &["startup", "--require-ready"]);
    assert_one_installation(first, &served);
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    let first = ready();
    let mut nodes = fleet_of(&first);
    all_run(&nodes, &["startup", "--require-ready"]);
    // As the version before this schema has left it.
    first.sql(
        "ALTER TABLE startup_history DROP COLUMN node; ALTER TABLE event DROP COLUMN node; \
         DELETE FROM refinery_schema_history WHERE version = 8; TRUNCATE startup_history",
    );
    for node in &mut nodes {
        node.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    }
    let start = [&["startup", "--require-ready"], &LAST_WAITS[..]].concat();
    let served = all_run(&nodes, &start);
    let upgraded = served
        .iter()
        .filter(|run| run.startup_scenario() == "VERSION_UPGRADE");
    assert_eq!(upgraded.count(), 1);
    assert_one_installation(&first, &served);
}

/// A DEK for all, and a copy of it for each token.
#[test]
fn nodes_with_tokens_of_their_own_recover_at_once() {
    let first = Sandbox::on_server();
    first.setup_softhsm();
    let mut nodes = fleet_of(&first);
    // Each derives a key of the password, which takes a processor its time.
    nodes.truncate(16);
    all_run(&nodes, &["startup"]);
    let file = first.path("backup-password");
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    all_run(&nodes, &[&recover, &LAST_WAITS[..]].concat());
    let served = all_run(&nodes, &["startup", "--require-ready"]);
    assert_one_installation(&first, &served);
    assert_eq!(
        first
            .sql("SELECT count(dek_check_value) FROM sealing")
            .trim(),
        "1"
    );
    assert_eq!(first.sql("SELECT count(*) FROM pkcs11_token").trim(), "17");
    first.run(&["startup", "--require-ready"]).expect(0);
}

/// A session of an administrator, which lasts until it is dropped.
struct Psql(Child);

impl Psql {
    /// One that has carried out this statement, which prints a line.
    fn that_did(url: &str, sql: &str) -> Self {
        let mut psql = std::process::Command::new("psql");
        let mut child = psql
            .args(["-X", "-q", "-A", "-t", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{sql};").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "{sql}");
        Self(child)
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_setup_beside_a_long_dump_is_done_and_the_next_start_rebuilds_the_tables() {
    let node = Sandbox::on_server();
    node.run(&["startup"]).expect(0);
    let schema = node.sql("SELECT current_schema()");
    let read = format!("BEGIN; SELECT count(*) FROM {}.credential", schema.trim());
    let dump = Psql::that_did(&Server::shared().url("tests", "postgres"), &read);
    let run = node.setup_softhsm();
    assert_says(&run.warnings(), &["the next start tries again"]);
    drop(dump);
    let run = node.run(&["startup", "--require-ready"]).expect(0);
    assert_eq!(run.step("scrub_database"), "done");
}

#[test]
fn ready_nodes_take_no_lock_and_wait_for_nobody() {
    let first = ready();
    let mut nodes = fleet_of(&first);
    let schema = first.sql("SELECT current_schema()");
    let take = format!(
        "SELECT pg_advisory_lock(('x' || left(encode(sha256('trustpointctl/start/{}'), 'hex'), \
         16))::bit(64)::bigint) IS NULL",
        schema.trim()
    );
    let held = Psql::that_did(&Server::shared().url("tests", "postgres"), &take);
    let served = all_run(&nodes, &["startup", "--require-ready", "--lock-wait", "0"]);
    // It is that lock.
    let mut newer = nodes.remove(0);
    newer.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    let start = ["startup", "--lock-wait", "0"];
    let said = newer.fails_unchanged(&start, 75, "busy");
    assert_says(&said, &["psql", "since 20"]);
    drop(held);
    newer.run(&["startup", "--lock-wait", "60"]).expect(0);
    first.sql("DELETE FROM startup_history WHERE node NOT LIKE 'node-%'");
    assert_one_installation(&first, &served);
}

#[test]
fn a_node_that_is_killed_gives_the_lock_back_and_until_then_it_is_named() {
    let mut first = Sandbox::on_server();
    first.setup_softhsm();
    let mut second = first.beside("node-2");
    second.run(&["startup"]).expect(0);
    let hung = first.path("hung");
    first.use_shim();
    for (name, value) in [
        ("TRUSTPOINT_NODE_ID", "node-1"),
        ("TRUSTPOINT_APP_VERSION", "9.0.0"),
        ("TRUSTPOINT_HSM_WAIT", "1000s"),
        ("SHIM_FAULT", "4:hang"),
        ("SHIM_ONCE", hung.to_str().unwrap()),
    ] {
        first.set(name, value);
    }
    let mut holder = Running::start(&mut first.command(&["startup"]));
    holder.wait_for_file(&hung);
    second.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    let said = second.fails_unchanged(&["startup", "--lock-wait", "0"], 75, "busy");
    let process = format!("trustpointctl {} on node-1", holder.child.id());
    assert_says(&said, &[&process, "since 20", "pg_terminate_backend"]);

    let mut waiting = Running::start(&mut second.command(&["--format", "json", "startup"]));
    waiting.wait_for_error("waiting for another node");
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    let (status, report) = waiting.end();
    assert_eq!(status.code(), Some(0), "{report}");
}

#[test]
fn a_start_goes_on_when_a_connection_of_the_server_gets_free() {
    let (server, user) = (Server::shared(), new_name("narrow"));
    let role = format!("CREATE ROLE {user} LOGIN; GRANT CREATE ON DATABASE postgres TO {user}");
    server.sql("postgres", &role);
    let mut node = Sandbox::on_server();
    let url = server.url(&user, "postgres");
    node.set(URL, &url);
    node.run(&["setup", "--storage", "software"]).expect(0);
    node.run(&["startup", "--require-ready"]).expect(0);
    server.sql("postgres", &format!("ALTER ROLE {user} CONNECTION LIMIT 1"));
    // The server may not have seen yet that the start has ended.
    let theirs = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'");
    while server.sql("postgres", &theirs) != "0" {}
    let held = Psql::that_did(&url, "SELECT 1");
    let _quiet = quiet();
    node.set(WAIT, "1s");
    let said = node.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert_says(
        &said,
        &["within 1 s", "too many connections", "database.wait"],
    );
    node.set(WAIT, "1000s");
    let start = ["--format", "json", "startup"];
    let mut waiting = Running::start(&mut node.command(&start));
    waiting.wait_for_error("waiting for the database");
    drop(held);
    let (status, report) = waiting.end();
    assert_eq!(status.code(), Some(0), "{report}");
}
