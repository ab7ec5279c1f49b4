//! Backups under a password, in the format of the program `age`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{create, sql_in};
use crate::sandbox::{Sandbox, put};
use crate::terminal::pty::Terminal;

const FILE_PASSWORD: &str = "another password for the file";

fn password_file(sandbox: &Sandbox, password: &str) -> String {
    let file = sandbox.path("file-password");
    put(&file, format!("{password}\n"));
    file.display().to_string()
}

fn encrypted(sandbox: &Sandbox) -> String {
    let file = sandbox.path("node.age").display().to_string();
    let password = password_file(sandbox, FILE_PASSWORD);
    let create = [
        "backup",
        "create",
        &file,
        "--encrypt-password-file",
        &password,
    ];
    let run = sandbox.run(&create).expect(0);
    assert_eq!(run.report["backup"]["encrypted"], true);
    assert!(
        !run.warnings().contains("in the clear"),
        "{}",
        run.warnings()
    );
    file
}

/// Runs `age` at a terminal, where it asks for the password.
fn age(arguments: &[&str], questions: &[&str]) {
    let mut terminal = Terminal::run_other(Command::new("age").args(arguments));
    for question in questions {
        terminal.answer(question, FILE_PASSWORD);
    }
    terminal.end().expect(0);
}

#[test]
fn age_opens_an_encrypted_backup() {
    let sandbox = Sandbox::software();
    let before = sandbox.picture();
    let file = encrypted(&sandbox);
    assert_eq!(before, sandbox.picture());
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"));

    let clear = sandbox.path("clear.backup").display().to_string();
    age(&["-d", "-o", &clear, &file], &["Enter passphrase: "]);
    assert_eq!(sql_in(&clear, "PRAGMA integrity_check"), "ok\n");
    sandbox.run(&["backup", "verify", &clear]).expect(0);
}

#[test]
fn what_age_has_encrypted_is_verified_and_restored() {
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let clear = create(&sandbox, "node.backup");
    let file = sandbox.path("by-age.age").display().to_string();
    age(
        &["-p", "-o", &file, &clear],
        &[
            "Enter passphrase (leave empty to autogenerate a secure one): ",
            "Confirm passphrase: ",
        ],
    );
    let password = password_file(&sandbox, FILE_PASSWORD);
    let with = ["--decrypt-password-file", &password];
    let verify = sandbox
        .run(&[&["backup", "verify", &file], &with[..]].concat())
        .expect(0);
    assert_eq!(verify.report["backup"]["encrypted"], true);
    sandbox.run(&["tls", "renew"]).expect(0);
    let run = sandbox.run(&[&["backup", "restore", &file], &with[..]].concat());
    assert_eq!(run.expect(0).step("replace_database"), "done");
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).fingerprint(),
        fingerprint
    );
}

#[test]
fn an_encrypted_backup_that_cannot_be_opened_changes_nothing() {
    let sandbox = Sandbox::software();
    let file = encrypted(&sandbox);
    let right = password_file(&sandbox, FILE_PASSWORD);
    let with = |password: &str| vec!["--decrypt-password-file".to_owned(), password.to_owned()];
    let wrong = sandbox.path("wrong-password");
    put(&wrong, "yet another password\n");
    let wrong = wrong.display().to_string();

    let bytes = fs::read(&file).unwrap();
    let other = |name: &str, bytes: &[u8]| {
        put(&sandbox.path(name), bytes);
        sandbox.path(name).display().to_string()
    };
    let mut flipped = bytes.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut header = bytes.clone();
    header[60] ^= 1;
    for command in ["verify", "restore"] {
        for (file, with, code, kind) in [
            (file.clone(), Vec::new(), 77, "denied"),
            (file.clone(), with(&wrong), 77, "denied"),
            (
                other("cut.age", &bytes[..bytes.len() - 100]),
                with(&right),
                65,
                "data_corrupt",
            ),
            (
                other("cut2.age", &bytes[..100]),
                with(&right),
                65,
                "data_corrupt",
            ),
            (
                other("flipped.age", &flipped),
                with(&right),
                65,
                "data_corrupt",
            ),
        ] {
            let with: Vec<&str> = with.iter().map(String::as_str).collect();
            let arguments = [&["backup", command, &file], &with[..]].concat();
            let said = sandbox.fails_unchanged(&arguments, code, kind);
            assert!(!said.contains(FILE_PASSWORD), "{said}");
        }
        let file = other("header.age", &header);
        let arguments = ["backup", command, &file, "--decrypt-password-file", &right];
        let before = sandbox.picture();
        assert_ne!(sandbox.run(&arguments).code, 0);
        assert_eq!(before, sandbox.picture());
    }
}

#[test]
fn at_a_terminal_the_password_is_asked_for_unseen() {
    let sandbox = Sandbox::software();
    let file = encrypted(&sandbox);
    for command in ["verify", "restore"] {
        let mut terminal = Terminal::run(&sandbox, &["backup", command, &file]);
        terminal.answer_unseen("Password of the backup file: ", FILE_PASSWORD);
        terminal.end().expect(0).never_shows(FILE_PASSWORD);
    }
    // A backup that is not encrypted asks for nothing.
    let clear = create(&sandbox, "node.backup");
    let ended = Terminal::run(&sandbox, &["backup", "verify", &clear]).end();
    assert!(!ended.expect(0).shown.contains("Password"));
}

#[test]
fn a_short_password_for_the_file_is_refused() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("node.age").display().to_string();
    let password = password_file(&sandbox, "short");
    let create = [
        "backup",
        "create",
        &file,
        "--encrypt-password-file",
        &password,
    ];
    sandbox.fails_unchanged(&create, 2, "usage");
    assert!(!sandbox.path("node.age").exists());
}
