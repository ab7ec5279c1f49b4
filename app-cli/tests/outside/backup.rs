//! `backup create` and `verify`. What `restore` does is in the modules below.

mod disaster;
mod file;
mod first_format;
mod kills;
mod overwriting;
mod pipes;
mod refusals;
mod restore;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{PASSWORD, Run, Sandbox, TABLES_OF_A_FILE, but_events, is_on_server, tool};
use crate::terminal::pty::Terminal;

/// Makes a backup beside the root and gives back its path.
#[track_caller]
fn create(sandbox: &Sandbox, name: &str) -> String {
    let file = sandbox.path(name).display().to_string();
    sandbox.run(&["backup", "create", &file]).expect(0);
    file
}

fn restore(sandbox: &Sandbox, file: &str) -> Run {
    sandbox.run(&["backup", "restore", file])
}

/// Runs SQL in a file with the sqlite3 program.
#[track_caller]
fn sql_in(file: &str, statement: &str) -> String {
    tool("sqlite3", [file, statement])
}

/// A value of the manifest, as anybody can read it: lines at the end of the file.
fn manifest(file: &str, name: &str) -> String {
    let lines = tool("sh", ["-c", "tail -n 13 \"$1\" | cat -v", "sh", file]);
    let (_, lines) = lines.split_once("Trustpoint backup manifest\n").unwrap();
    let mut values = lines.lines().filter_map(|line| line.split_once(": "));
    let value = values.find_map(|(seen, value)| (seen == name).then_some(value));
    value.unwrap_or_default().to_owned()
}

#[test]
fn sqlite3_opens_a_backup_and_it_says_what_it_is() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.picture_but_history();
    let file = sandbox.path("node.backup").display().to_string();
    let run = sandbox.run(&["backup", "create", &file]).expect(0);
    let after = sandbox.picture_but_history();
    assert_eq!(before, after, "the node is as it was, but for its history");

    assert_eq!(sql_in(&file, "PRAGMA integrity_check"), "ok\n");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let of_node = |select: &str| sandbox.sql(select).trim().to_owned();
    for (name, expected) in [
        ("format", "2".to_owned()),
        ("storage", "softhsm".to_owned()),
        ("backup_password_set", "yes".to_owned()),
        ("setup_completed", "yes".to_owned()),
        (
            "application_version",
            of_node("SELECT version FROM app_version"),
        ),
        (
            "installation_id",
            of_node("SELECT installation_id FROM installation"),
        ),
        (
            "kek_id",
            of_node("SELECT lower(hex(key_id)) FROM pkcs11_key"),
        ),
        (
            "dek_check_value",
            of_node("SELECT lower(hex(dek_check_value)) FROM sealing"),
        ),
        (
            "schema",
            of_node(
                "SELECT 'V' || version || '__' || name FROM refinery_schema_history \
                 ORDER BY version DESC LIMIT 1",
            ),
        ),
    ] {
        assert_eq!(manifest(&file, name), expected, "{name}");
    }
    assert_eq!(run.text("/backup/sha256"), manifest(&file, "sha256"));
    assert_eq!(run.text("/backup/sha256"), digest_before_digest(&file));
    assert_eq!(sql_in(&file, TABLES_OF_A_FILE), sandbox.tables());
    // Dumps of two kinds of databases are not the same text.
    if !is_on_server() {
        let noted = "'backup_made'";
        assert_eq!(
            but_events(&sql_in(&file, ".dump"), noted),
            but_events(&sandbox.dump(), noted)
        );
    }
}

/// The digest as anybody can take it: of all that stands before it.
fn digest_before_digest(file: &str) -> String {
    let script = "head -c -65 \"$1\" | sha256sum | cut -c1-64";
    tool("sh", ["-c", script, "sh", file]).trim().to_owned()
}

#[test]
fn a_backup_knows_of_a_setup_that_only_the_state_directory_knows_of() {
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE installation SET setup_completed_at = NULL");
    let file = create(&sandbox, "node.backup");
    assert_eq!(manifest(&file, "setup_completed"), "yes");
    let mark = "SELECT count(setup_completed_at) FROM installation";
    assert_eq!(sandbox.sql(mark), "0\n");
    let other = Sandbox::new();
    restore(&other, &file).expect(0);
    assert_eq!(other.sql(mark), "1\n");
    assert_eq!(other.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn software_storage_is_warned_about_and_softhsm_without_a_password_too() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("node.backup").display().to_string();
    let run = sandbox.run(&["backup", "create", &file]).expect(0);
    assert!(
        run.warnings().contains("in the clear"),
        "{}",
        run.warnings()
    );
    assert!(run.warnings().contains("backup create - | age"));

    let sandbox = Sandbox::softhsm_without_password();
    let file = sandbox.path("node.backup").display().to_string();
    let run = sandbox.run(&["backup", "create", &file]).expect(0);
    assert!(
        run.warnings().contains("no backup password"),
        "{}",
        run.warnings()
    );
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"));

    let sandbox = Sandbox::softhsm();
    let file = sandbox.path("node.backup").display().to_string();
    let run = sandbox.run(&["backup", "create", &file]).expect(0);
    assert_eq!(run.warnings(), "");
}

#[test]
fn at_a_terminal_a_bar_shows_how_far_long_work_is() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("node.backup").display().to_string();
    let at_a_terminal = |arguments: &[&str]| {
        let ended = Terminal::run(&sandbox, arguments).end().expect(0);
        ended.shown
    };
    let small = at_a_terminal(&["backup", "create", &file]);
    assert!(
        !small.contains('%'),
        "it is done before it is read: {small}"
    );
    sandbox.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) \
         INSERT INTO credential (id, sha256_fingerprint, certificate_pem, not_before, not_after, source) \
         SELECT 100 + i, i, hex(zeroblob(500000)), '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', \
         'generated' FROM n",
    );
    for (arguments, work) in [
        (
            &["backup", "create", &file, "--force"][..],
            "copying the database [",
        ),
        (&["backup", "verify", &file], "checking the backup ["),
        (&["backup", "restore", &file], "to a snapshot ["),
    ] {
        let shown = at_a_terminal(arguments);
        assert!(shown.contains(work) && shown.contains("100 %"), "{shown}");
    }
    let piped = sandbox.run_human(&["backup", "create", &file, "--force"]);
    let piped = piped.expect(0);
    assert!(!piped.stdout.contains('%'), "{}", piped.stdout);
}

#[test]
fn a_node_without_a_database_has_nothing_to_back_up() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("node.backup").display().to_string();
    let said = sandbox.fails_unchanged(&["backup", "create", &file], 78, "config");
    assert!(said.contains("startup"), "{said}");
    assert!(!sandbox.path("node.backup").exists());
}

#[test]
fn verify_tells_what_opens_a_backup_and_changes_nothing() {
    let sandbox = Sandbox::softhsm();
    let file = create(&sandbox, "node.backup");
    let password = sandbox.password_file(PASSWORD).display().to_string();
    let opens = |run: &Run, with: &str| run.text(&format!("/backup/opens_with/{with}/answer"));
    let before = sandbox.picture_but_history();
    let bytes = fs::read(&file).unwrap();
    let verify = ["backup", "verify", &file];
    let with_password = [&verify[..], &["--backup-password-file", &password]].concat();

    let run = sandbox.run(&with_password).expect(0);
    assert_eq!(opens(&run, "token"), "yes");
    assert_eq!(opens(&run, "backup_password"), "yes");
    let run = sandbox.run(&verify).expect(0);
    assert_eq!(opens(&run, "backup_password"), "unknown");

    sandbox.lose_token();
    let run = sandbox.run(&with_password).expect(0);
    assert_eq!(opens(&run, "token"), "no");
    assert_eq!(opens(&run, "backup_password"), "yes");
    let run = sandbox.run(&verify).expect(0);
    assert!(
        run.warnings().contains("nothing that was tried"),
        "{}",
        run.warnings()
    );
    sandbox.bring_token_back();

    let wrong = sandbox.password_file("wrong horse battery staple");
    let wrong = ["--backup-password-file", wrong.to_str().unwrap()];
    let said = sandbox.fails_unchanged(&[&verify[..], &wrong].concat(), 77, "denied");
    assert!(said.contains("is whole, but"), "{said}");
    assert_eq!(before, sandbox.picture_but_history());
    assert_eq!(fs::read(&file).unwrap(), bytes);

    let software = Sandbox::software();
    let file = create(&software, "node.backup");
    let run = software.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(opens(&run, "token"), "nothing_sealed");
}

#[test]
fn a_token_of_another_node_does_not_open_a_backup() {
    let (sandbox, other) = (Sandbox::softhsm(), Sandbox::softhsm());
    let file = create(&other, "node.backup");
    let run = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(run.text("/backup/opens_with/token/answer"), "no");
    assert!(
        run.text("/backup/opens_with/token/why")
            .contains("installation")
    );
}

#[test]
fn an_unreachable_token_is_unknown_and_no_reason_to_fail() {
    let mut sandbox = Sandbox::softhsm();
    let file = create(&sandbox, "node.backup");
    sandbox.set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    let run = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(run.text("/backup/opens_with/token/answer"), "unknown");
}
