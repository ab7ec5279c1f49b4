//! Nodes that share a database on a server.

use crate::sandbox::Sandbox;
use crate::server::Server;

const URL: &str = "TRUSTPOINT_DATABASE_URL";

#[test]
fn a_node_on_a_server_is_set_up_started_and_started_again() {
    let sandbox = Sandbox::on_server();
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).outcome(),
        "setup_required"
    );
    sandbox.setup_softhsm();
    sandbox.run(&["startup", "--require-ready"]).expect(0);
    assert!(!sandbox.database().exists(), "nothing of it is a file");
    sandbox.run(&["status"]).expect(0);
    sandbox.run(&["doctor"]).expect(0);
    let history = sandbox.run(&["history"]).expect(0);
    assert!(
        history.report["history"][0]["node"].is_string(),
        "{}",
        history.report
    );
}

#[test]
fn a_second_node_serves_the_same_credential_and_offers_no_setup() {
    let first = Sandbox::on_server();
    first.run(&["setup", "--storage", "software"]).expect(0);
    let served = first.run(&["startup"]).expect(0).fingerprint();
    let second = first.beside("node-2");
    let run = second.run(&["startup", "--require-ready"]).expect(0);
    assert_eq!(run.fingerprint(), served);
    assert_eq!(second.wizard(), "WIZARD_COMPLETED");
}

#[test]
fn a_url_with_a_password_is_refused_and_not_shown() {
    let mut sandbox = Sandbox::new();
    sandbox.set(URL, "postgresql://tp:hunter2@db.example.org/tp");
    let run = sandbox.run(&["status"]);
    let said = run.expect_error(78, "config");
    assert!(said.contains("there is a password in it"), "{said}");
    assert!(!run.report.to_string().contains("hunter2"));
}

#[test]
fn a_server_that_is_away_is_69_after_the_wait_and_nothing_is_made_in_its_place() {
    let mut sandbox = Sandbox::new();
    sandbox.set(URL, "postgresql://tp@127.0.0.1:1/tp");
    sandbox.set("TRUSTPOINT_DATABASE_WAIT", "1s");
    let run = sandbox.run(&["startup"]);
    let said = run.expect_error(69, "database_unavailable");
    assert!(!sandbox.database().exists() && !sandbox.root("etc").exists());
    assert!(
        said.contains("no connection to the database postgresql://tp@127.0.0.1:1/tp within 1 s"),
        "{said}"
    );
}

#[test]
fn a_database_that_is_not_there_is_named_with_the_way_to_make_it() {
    let mut sandbox = Sandbox::new();
    sandbox.set(URL, &Server::shared().url("tests", "nothing"));
    let run = sandbox.run(&["status"]);
    run.expect_error(69, "database_unavailable");
    let hint = run.report["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("createdb --owner=tests nothing"), "{hint}");
}

#[test]
fn c14_an_empty_database_beside_a_completed_node_is_refused() {
    let sandbox = Sandbox::on_server();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let mut elsewhere = sandbox;
    elsewhere.set("TRUSTPOINT_DATABASE_SCHEMA", "empty_by_mistake");
    let run = elsewhere.run(&["startup"]);
    run.expect_error(65, "data_corrupt");
}

#[test]
fn a_node_in_a_file_moves_to_a_server_by_a_backup() {
    let file = Sandbox::in_file();
    file.run(&["setup", "--storage", "software"]).expect(0);
    file.run(&["startup", "--require-ready"]).expect(0);
    let backup = file.path("backup").display().to_string();
    file.run(&["backup", "create", &backup]).expect(0);
    let server = Sandbox::on_server();
    server.run(&["backup", "restore", &backup]).expect(0);
    server.run(&["startup", "--require-ready"]).expect(0);
}
