//! Nodes that share a database on a server.

mod certificates;
mod damaged;
mod full;
pub mod line;
mod lock_lost;
mod lost_answers;
mod pool;
mod promoted;
mod refused;
mod rights;
mod together;

use std::fs;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::sandbox::{PASSWORD, Run, Sandbox, tool};
use crate::server::Server;
use crate::terminal::pty::Terminal;

const URL: &str = "TRUSTPOINT_DATABASE_URL";
const WAIT: &str = "TRUSTPOINT_DATABASE_WAIT";

/// A node on the tests' server that is set up with software storage, and ready.
fn ready() -> Sandbox {
    let sandbox = Sandbox::on_server();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    sandbox.run(&["startup", "--require-ready"]).expect(0);
    sandbox
}

/// A new node on an empty schema, with the directory that its lock stands in.
fn fresh() -> Sandbox {
    let sandbox = Sandbox::on_server();
    fs::create_dir_all(sandbox.database().parent().unwrap()).unwrap();
    sandbox
}

/// A URL of this port of loopback.
fn url(user: &str, port: u16, rest: &str) -> String {
    format!("postgresql://{user}@127.0.0.1:{port}/postgres{rest}")
}

/// Many nodes at once leave nobody else a processor.
static CROWD: RwLock<()> = RwLock::new(());

/// For tests in which an answer has to come within a second or two.
fn quiet() -> RwLockReadGuard<'static, ()> {
    CROWD.read().unwrap_or_else(PoisonError::into_inner)
}

/// For those that start many nodes at once.
fn crowd() -> RwLockWriteGuard<'static, ()> {
    CROWD.write().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

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
fn a_password_that_nobody_gave_is_asked_for_and_a_start_asks_nobody() {
    const TYPED: &str = "typed by a person";
    let server = Server::shared();
    let role = format!("CREATE ROLE bound_password SUPERUSER LOGIN PASSWORD '{TYPED}'");
    server.sql("postgres", &role);
    let mut node = ready();
    node.set(
        URL,
        &url("bound_password", server.port(), "?sslmode=disable"),
    );
    let mut terminal = Terminal::run(&node, &["status"]);
    terminal.answer_unseen("Password of the database: ", TYPED);
    terminal.end().expect(0).never_shows(TYPED);
    // It may have a terminal at which nobody sits.
    Terminal::run(&node, &["startup"]).end().expect(77);
    node.run(&["status"]).expect_error(77, "denied");
}

#[test]
fn a_server_that_is_away_is_69_after_the_wait_and_nothing_is_made_in_its_place() {
    let mut sandbox = Sandbox::new();
    sandbox.set(URL, "postgresql://tp@127.0.0.1:1/tp");
    sandbox.set(WAIT, "1s");
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
    let said = elsewhere.run(&["startup"]).expect_error(65, "data_corrupt");
    for words in ["(schema empty_by_mistake)", "database.schema"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    speaks_of_no_file(&said);
    let run = elsewhere.run(&["doctor"]);
    assert!(hints(&run).contains("the schema of its installation"));
    speaks_of_no_file(&hints(&run));
}

/// What a node whose database is a file would be told.
#[track_caller]
fn speaks_of_no_file(said: &str) {
    for words in [
        "the file;",
        "volume",
        "mount",
        "chmod",
        "chown",
        "database.path",
    ] {
        assert!(!said.contains(words), "{words}: {said}");
    }
}

/// The hints of all checks of doctor that did not pass.
fn hints(run: &Run) -> String {
    let checks = run.report["checks"].as_array().unwrap();
    let hints = checks.iter().map(|check| check["hint"].as_str().unwrap());
    hints.collect::<Vec<_>>().join("\n")
}

/// The detail of a check of doctor that passed; none where there is no such check.
#[track_caller]
fn passed(run: &Run, name: &str) -> Option<String> {
    let checks = run.report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name)?;
    assert_eq!(check["result"], "pass", "{check}");
    check["detail"].as_str().map(str::to_owned)
}

#[test]
fn status_names_the_nodes_that_still_run_an_older_version() {
    let mut first = Sandbox::on_server();
    first.run(&["setup", "--storage", "software"]).expect(0);
    let second = first.beside("node-2");
    for node in [&first, &second] {
        let run = node.run(&["startup", "--require-ready"]).expect(0);
        assert!(!run.warnings().contains("older"), "{}", run.warnings());
    }
    first.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    first.run(&["startup", "--require-ready"]).expect(0);
    let warnings = first.run(&["status"]).expect(0).warnings();
    let older = format!(
        "node-2 (version {}, last seen 20",
        env!("CARGO_PKG_VERSION")
    );
    assert!(warnings.contains(&older), "{warnings}");
    let shown = first.run_human(&["status"]).expect(0);
    assert!(shown.said().contains("node-2 (version"), "{}", shown.said());

    second
        .run(&["startup"])
        .expect_error(12, "version_downgrade");
    let mut replaced = first.beside("node-2");
    replaced.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    replaced.run(&["startup", "--require-ready"]).expect(0);
    let warnings = first.run(&["status"]).expect(0).warnings();
    assert!(!warnings.contains("older"), "{warnings}");
}

#[test]
fn setup_begun_again_names_the_nodes_that_would_complete_it() {
    let mut first = Sandbox::on_server();
    first.set("TRUSTPOINT_NODE_ID", "node-1");
    first.run(&["setup", "--storage", "software"]).expect(0);
    let reset = ["setup", "--reset"];
    assert_eq!(first.run(&reset).expect(0).warnings(), "");
    first.run(&["setup", "--storage", "software"]).expect(0);
    let second = first.beside("node-2");
    second.run(&["startup", "--require-ready"]).expect(0);
    let warnings = second.run(&reset).expect(0).warnings();
    assert!(
        warnings.contains("(node-1)") && warnings.contains("setup --reset"),
        "{warnings}"
    );
    // As it says: reset on each, and none of them puts the mark back.
    first.run(&reset).expect(0);
    for node in [&first, &second] {
        assert_eq!(node.run(&["startup"]).expect(0).outcome(), "setup_required");
    }
}

#[test]
fn doctor_looks_at_no_file_of_a_database_on_a_server() {
    let mut sandbox = Sandbox::on_server();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let password = sandbox.path("database-password");
    crate::sandbox::put(&password, "not asked for here\n");
    let set_mode = |mode: &str| tool("chmod", [mode, password.to_str().unwrap()]);
    set_mode("0600");
    sandbox.set(
        "TRUSTPOINT_DATABASE_PASSWORD_FILE",
        password.to_str().unwrap(),
    );
    let run = sandbox.run(&["doctor"]).expect(0);
    for name in ["mode_database", "room_database"] {
        assert_eq!(passed(&run, name), None);
    }
    assert!(passed(&run, "room_data_directory").is_some());
    let integrity = passed(&run, "database_integrity").unwrap();
    assert_eq!(integrity, "every row is right");
    assert!(passed(&run, "mode_database_password_file").is_some());
    set_mode("0644");
    let said = sandbox.run(&["doctor"]).expect_error(78, "config");
    assert!(said.contains("database-password"), "{said}");
}

/// Each further try would wait as long as the first.
#[test]
fn doctor_waits_once_for_a_server_that_is_away() {
    let mut sandbox = Sandbox::on_server();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    sandbox.make_database_unavailable();
    let run = sandbox.run(&["doctor"]);
    let said = run.expect_error(69, "database_unavailable");
    assert!(said.contains("1 of "), "{said}");
    assert!(hints(&run).contains("database.wait"));
    assert_eq!(passed(&run, "database_integrity"), None);
}

/// A restore replaces no tables that it cannot read: the hint says what does.
#[test]
fn tables_that_somebody_has_changed_are_moved_away_and_restored() {
    let sandbox = Sandbox::on_server();
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let backup = sandbox.path("backup").display().to_string();
    sandbox.run(&["backup", "create", &backup]).expect(0);
    for damage in [
        "CREATE TABLE stray (x int)",
        "ALTER TABLE app_version DROP COLUMN version",
        "DELETE FROM refinery_schema_history",
    ] {
        sandbox.sql(damage);
        for command in [
            &["startup"][..],
            &["status"],
            &["backup", "restore", &backup],
        ] {
            let said = sandbox.run(command).expect_error(65, "data_corrupt");
            assert!(said.contains("ALTER SCHEMA"), "{said}");
            speaks_of_no_file(&said);
        }
        let run = sandbox.run(&["doctor"]);
        run.expect_error(65, "data_corrupt");
        speaks_of_no_file(&hints(&run));
        // It is there, and nobody can read it.
        assert_eq!(passed(&run, "wizard_state").unwrap(), "WIZARD_COMPLETED");

        sandbox.lose_database();
        sandbox.run(&["backup", "restore", &backup]).expect(0);
        assert_eq!(
            sandbox.run(&["startup"]).expect(0).fingerprint(),
            fingerprint
        );
    }
}

#[test]
fn a_node_that_is_new_to_the_database_is_told_so_and_not_that_its_token_is_lost_alone() {
    let first = Sandbox::on_server();
    first.run(&["startup"]).expect(0);
    first.setup_softhsm();
    let served = first
        .run(&["startup", "--require-ready"])
        .expect(0)
        .fingerprint();
    let second = first.beside("node-2");
    let run = second.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert!(
        run.warnings().contains("new to this database"),
        "{}",
        run.warnings()
    );
    let file = second.password_file(PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    let run = second.run(&recover).expect(0);
    assert!(
        run.warnings().contains("another node may use that token"),
        "{}",
        run.warnings()
    );
    for node in [&first, &second] {
        node.new_container();
        let run = node.run(&["startup", "--require-ready"]).expect(0);
        assert_eq!(run.fingerprint(), served);
    }
}

/// What an older version has backed up is restored as it is, and upgraded by the next start.
#[test]
fn a_backup_of_an_older_schema_moves_to_a_server() {
    let node = Sandbox::on_server();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/schema_6");
    fs::remove_dir(node.path("tokens")).unwrap();
    let (saved, tokens) = (old.join("tokens"), node.path("tokens"));
    tool("cp", ["-r".as_ref(), saved.as_os_str(), tokens.as_os_str()]);
    let backup = old.join("node.backup").display().to_string();
    node.run(&["backup", "restore", &backup]).expect(0);
    let run = node.run(&["startup", "--require-ready"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
}

/// Another installation takes the place of none that is set up, and the hint says how it goes.
#[test]
fn a_backup_of_another_installation_goes_into_an_empty_schema() {
    let (sandbox, other) = (Sandbox::on_server(), Sandbox::on_server());
    for node in [&sandbox, &other] {
        node.run(&["setup", "--storage", "software"]).expect(0);
    }
    let backup = other.path("backup").display().to_string();
    other.run(&["backup", "create", &backup]).expect(0);
    let said = sandbox.fails_unchanged(&["backup", "restore", &backup], 65, "data_corrupt");
    assert!(said.contains("ALTER SCHEMA"), "{said}");
    let accept = ["backup", "restore", &backup, "--accept-other-installation"];
    let said = sandbox.fails_unchanged(&accept, 78, "config");
    assert!(said.contains("empty schema"), "{said}");
    sandbox.lose_database();
    sandbox.run(&accept).expect(0);
    let served = other.run(&["startup"]).expect(0).fingerprint();
    assert_eq!(sandbox.run(&["startup"]).expect(0).fingerprint(), served);
}

/// The mark is gone then, and the keys of all nodes are there.
#[test]
fn a_setup_that_is_begun_again_makes_no_way_for_another_installation() {
    let (sandbox, other) = (Sandbox::on_server(), Sandbox::on_server());
    sandbox.setup_softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    other.run(&["setup", "--storage", "software"]).expect(0);
    let backup = other.path("backup").display().to_string();
    other.run(&["backup", "create", &backup]).expect(0);
    let accept = ["backup", "restore", &backup, "--accept-other-installation"];
    let said = sandbox.fails_unchanged(&accept, 78, "config");
    assert!(said.contains("empty schema"), "{said}");
}

#[test]
fn setup_on_a_node_that_is_new_to_its_database_leads_to_a_start() {
    let first = ready();
    let second = first.beside("node-2");
    let run = second.run(&["setup", "--storage", "software"]);
    run.expect_error(78, "config");
    let hint = run.report["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("`trustpointctl startup`"), "{hint}");
    assert!(!hint.contains("--reset"), "{hint}");
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
