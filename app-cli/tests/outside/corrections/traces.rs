//! C14 and C23: a missing database beside an installed node, and a token of another one.

use std::fs;

use crate::sandbox::{LABEL, PIN, SO_PIN, Sandbox, put, tool};

const DATA_DIR: &str = "var/lib/trustpoint";

/// The mount point of the data volume. The lock file, which a start may leave, stands in it.
fn empty_volume(sandbox: &Sandbox) {
    fs::create_dir_all(sandbox.root(DATA_DIR)).unwrap();
}

/// A first start refuses, says why, makes no database; and goes on when it is told to.
#[track_caller]
fn assert_noticed(sandbox: &Sandbox, evidence: &str) {
    for arguments in [
        &["startup"][..],
        &["startup", "--dry-run"],
        &["setup", "--storage", "software"],
    ] {
        let said = sandbox.fails_unchanged(arguments, 65, "data_corrupt");
        assert!(said.contains(evidence), "{said}");
        assert!(said.contains("--accept-new-database"), "{said}");
    }
    let run = sandbox.run(&["startup", "--accept-new-database"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_MATCH");
}

#[test]
fn c14_a_missing_database_is_noticed() {
    let sandbox = Sandbox::software();
    sandbox.lose_database();
    fs::remove_dir_all(sandbox.root(DATA_DIR)).unwrap();
    empty_volume(&sandbox);
    assert_noticed(&sandbox, "WIZARD_COMPLETED");
}

#[test]
fn c14_a_database_of_no_bytes_counts_as_missing() {
    let sandbox = Sandbox::software();
    put(&sandbox.database(), "");
    // It is there, and nobody has to look for a volume.
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    let database = sandbox.database().display().to_string();
    for named in [
        &format!("the database {database} is empty"),
        "backup restore",
    ] {
        assert!(said.contains(named), "{said}");
    }
    assert!(!said.contains("mount"), "{said}");
    let doctor = sandbox.run(&["doctor"]).expect(65).stdout;
    assert!(
        doctor.contains("WIZARD_COMPLETED, but the database is empty"),
        "{doctor}"
    );
    assert_noticed(&sandbox, "WIZARD_COMPLETED");
}

#[test]
fn c14_a_node_that_waited_for_its_password_is_a_trace() {
    for state in [
        "WIZARD_AUTO_RESTORE_PASSWORD",
        "WIZARD_AUTO_RESTORE_HSM",
        "WIZARD_SETUP_HSM_AUTORESTORE",
    ] {
        let sandbox = Sandbox::new();
        sandbox.put_wizard(&[state]);
        empty_volume(&sandbox);
        assert_noticed(&sandbox, state);
    }
}

#[test]
fn c14_the_states_of_an_unfinished_setup_are_no_trace() {
    let sandbox = Sandbox::new();
    sandbox.put_wizard(&["WIZARD_SETUP_MODE"]);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
}

#[test]
fn c14_snapshots_are_a_trace() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    sandbox.lose_database();
    sandbox.put_wizard(&[]);
    assert_noticed(&sandbox, "snapshots/trustpoint-");
}

#[test]
fn c14_the_marker_on_the_token_is_a_trace_without_a_login() {
    let mut sandbox = Sandbox::softhsm();
    let installation = sandbox.sql("SELECT installation_id FROM installation");
    sandbox.lose_database();
    fs::remove_dir_all(sandbox.path("root")).unwrap();
    empty_volume(&sandbox);
    sandbox.unset("HSM_PIN");
    sandbox.unset("HSM_SO_PIN");
    assert_noticed(&sandbox, installation.trim());
}

#[test]
fn c14_a_token_that_was_initialised_beforehand_is_no_trace() {
    let sandbox = Sandbox::new();
    sandbox.initialise_token();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    assert_eq!(run.warnings(), "");
}

/// Two nodes that were set up, and the second now looks at the token of the first.
fn mixed_up() -> (Sandbox, Sandbox) {
    let (first, mut second) = (Sandbox::softhsm(), Sandbox::softhsm());
    second.take_tokens_of(&first);
    (first, second)
}

/// Every file of the token directory, by content.
fn token_of(sandbox: &Sandbox) -> String {
    let tokens = sandbox.path("tokens").display().to_string();
    let sums = "find \"$0\" -type f ! -name '*.lock' | sort | xargs sha256sum";
    tool("sh", ["-c", sums, &tokens])
}

#[test]
fn c23_a_start_refuses_the_token_of_another_installation() {
    let (first, second) = mixed_up();
    let theirs = first.sql("SELECT installation_id FROM installation");
    let before = token_of(&first);
    second.lose_runtime();
    let said = second.fails_unchanged(&["startup"], 78, "config");
    assert!(said.contains(theirs.trim()), "{said}");
    second.run(&["status"]).expect_error(78, "config");
    assert_eq!(token_of(&first), before);
    first.run(&["startup"]).expect(0);
}

#[test]
fn c23_a_setup_refuses_the_token_of_another_installation() {
    let first = Sandbox::softhsm();
    let theirs = first.sql("SELECT installation_id FROM installation");
    let before = token_of(&first);
    let mut second = Sandbox::new();
    second.run(&["startup"]).expect(0);
    second.take_tokens_of(&first);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let said = second.fails_unchanged(&setup, 78, "config");
    assert!(said.contains(theirs.trim()), "{said}");
    assert_eq!(token_of(&first), before);
    first.run(&["startup"]).expect(0);
}

#[test]
fn c23_the_token_carries_the_installation_of_its_database() {
    let sandbox = Sandbox::softhsm();
    let ours = sandbox.sql("SELECT installation_id FROM installation");
    let read = ["--read-object", "--type", "data", "--label"];
    let marker = sandbox.pkcs11_tool(&[&read[..], &["trustpoint-installation"]].concat());
    assert_eq!(marker.trim(), ours.trim());
}

#[test]
fn c14_a_new_database_that_was_cut_short_is_never_a_completed_node() {
    for point in (1..=40).step_by(3) {
        let sandbox = Sandbox::software();
        sandbox.lose_database();
        fs::remove_dir_all(sandbox.root("var")).unwrap();
        let inject =
            format!("inject=fsync,rename,renameat,renameat2,pwrite64:signal=SIGKILL:when={point}");
        let strace = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,rename,renameat,renameat2,pwrite64",
            "-e",
            &inject,
        ];
        sandbox.run_under(&strace, &["startup", "--accept-new-database"]);
        let next = sandbox.run(&["startup"]);
        assert!(
            next.code == 65 || (next.code == 0 && next.outcome() == "setup_required"),
            "killed at {point}: {} {}",
            next.code,
            next.stdout
        );
        let again = sandbox.run(&["startup", "--accept-new-database"]).expect(0);
        assert_eq!(again.outcome(), "setup_required", "killed at {point}");
    }
}

#[test]
fn c14_two_tokens_of_one_label_are_not_taken_for_a_fresh_node() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.add_token(LABEL, SO_PIN, PIN);
    sandbox.lose_database();
    fs::remove_dir_all(sandbox.root("")).unwrap();
    sandbox.run(&["startup"]).expect_error(78, "config");
    assert_eq!(sandbox.tables(), "\n");
}
