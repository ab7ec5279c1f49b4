//! Backups that go through a pipe: `age`, `gpg` and `restic` do the encrypting.

use std::fs;
use std::process::Command;

use super::{create, sql_in};
use crate::sandbox::{PASSWORD, Run, Sandbox, put, tool};
use crate::terminal::pty::Terminal;

/// Runs a shell in which `$T` is the program with its root, and gives back what it ended with.
fn shell(sandbox: &Sandbox, script: &str) -> Run {
    let root = sandbox.path("root").display().to_string();
    let program = env!("CARGO_BIN_EXE_trustpointctl");
    let mut command = sandbox.command::<&str>(&[]);
    let variables: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = Command::new("bash");
    command
        .args(["-c", &format!("set -o pipefail; {script}")])
        .env_clear()
        .envs(variables)
        .env("T", format!("{program} --root {root}"))
        .current_dir(sandbox.path(""));
    Run::end_of(&mut command)
}

/// No part of a backup has a name anywhere in the sandbox but what the shell made.
#[track_caller]
fn assert_no_clear_copy(sandbox: &Sandbox) {
    let found = tool(
        "find",
        [sandbox.path("").to_str().unwrap(), "-name", ".trustpoint-*"],
    );
    assert_eq!(found, "");
}

#[test]
fn through_age_and_back() {
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let before = sandbox.picture_but_history();
    shell(
        &sandbox,
        "age-keygen -o key 2>/dev/null && \
         $T backup create - | age -r \"$(age-keygen -y key)\" > node.age",
    )
    .expect(0);
    assert_eq!(before, sandbox.picture_but_history());
    assert_no_clear_copy(&sandbox);
    let bytes = fs::read(sandbox.path("node.age")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));

    let run = shell(&sandbox, "age -d -i key node.age | $T backup verify -").expect(0);
    assert!(run.stdout.contains("the backup is whole"), "{}", run.stdout);
    assert_eq!(before, sandbox.picture_but_history());
    let clear = sandbox.path("clear.db").display().to_string();
    shell(&sandbox, "age -d -i key node.age > clear.db").expect(0);
    assert_eq!(sql_in(&clear, "PRAGMA integrity_check"), "ok\n");

    sandbox.run(&["tls", "renew"]).expect(0);
    shell(&sandbox, "age -d -i key node.age | $T backup restore -").expect(0);
    assert_no_clear_copy(&sandbox);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.fingerprint(), fingerprint);

    let other = Sandbox::new();
    fs::copy(sandbox.path("clear.db"), other.path("clear.db")).unwrap();
    shell(&other, "cat clear.db | $T backup restore -").expect(0);
    let run = other.run(&["startup"]).expect(0);
    assert_eq!(run.fingerprint(), fingerprint);
}

#[test]
fn the_report_does_not_stand_in_the_backup() {
    let sandbox = Sandbox::softhsm();
    for format in ["human", "json"] {
        let script = format!("$T --format {format} backup create - > node.backup");
        let run = shell(&sandbox, &script).expect(0);
        assert_eq!(run.stdout, "");
        let file = sandbox.path("node.backup").display().to_string();
        sandbox.run(&["backup", "verify", &file]).expect(0);
        let last = run.stderr.lines().last().unwrap_or_default();
        if format == "human" {
            assert!(run.stderr.contains("standard output, SHA-256"), "{last}");
        } else {
            let report = crate::schema::read(last);
            assert_eq!(report["backup"]["file"], "-");
            assert_eq!(report["exit_code"], 0);
        }
        assert!(!sandbox.path("-").exists());
    }
}

#[test]
fn a_failure_on_either_side_of_the_pipe_is_one() {
    let sandbox = Sandbox::software();
    let run = shell(&sandbox, "$T --format json backup create - | exec 0<&-");
    assert_eq!(run.code, 74, "{}", run.stderr);
    let last = run.stderr.lines().last().unwrap_or_default();
    let report = crate::schema::read(last);
    assert_eq!(report["error"]["kind"], "io");
    assert_no_clear_copy(&sandbox);

    let empty = Sandbox::new();
    let run = shell(&empty, "$T backup create - | cat > node.backup");
    assert_eq!(run.code, 78, "{}", run.stderr);
}

#[test]
fn what_comes_in_cut_or_altered_changes_nothing() {
    let sandbox = Sandbox::software();
    let bytes = fs::read(create(&sandbox, "node.backup")).unwrap();
    let before = sandbox.picture();
    for length in [0, 100, 4096, bytes.len() / 2, bytes.len() - 1] {
        put(&sandbox.path("cut"), &bytes[..length]);
        for command in ["verify", "restore"] {
            let script = format!("cat cut | $T --format json backup {command} -");
            let said = shell(&sandbox, &script).expect_error(65, "data_corrupt");
            assert!(said.contains("standard input"), "{said}");
        }
    }
    assert_eq!(before, sandbox.picture());
    assert_no_clear_copy(&sandbox);
}

#[test]
fn what_never_ends_is_refused_before_it_fills_the_disk() {
    let sandbox = Sandbox::software();
    create(&sandbox, "node.backup");
    let before = sandbox.picture();
    for (source, why) in [
        ("cat /dev/zero", "no SQLite database"),
        // What begins otherwise is not waited for.
        (
            "printf 0123456789abcdef; exec sleep 1000",
            "no SQLite database",
        ),
        ("cat node.backup /dev/zero", "longer than it says"),
        (
            "printf 'SQLite format 3\\0'; exec cat /dev/zero",
            "longer than it says",
        ),
    ] {
        for command in ["verify", "restore"] {
            // A file that grows beyond this limit ends the program.
            let script = format!(
                "exec 3< <({source}); ulimit -f 16384; timeout 100 $T --format json backup \
                 {command} - <&3; code=$?; kill $!; exit $code"
            );
            let said = shell(&sandbox, &script).expect_error(65, "data_corrupt");
            assert!(said.contains("standard input"), "{said}");
            assert!(said.contains(why), "{said}");
        }
    }
    assert_eq!(before, sandbox.picture());
    assert_no_clear_copy(&sandbox);
}

#[test]
fn at_a_terminal_no_backup_comes_or_goes() {
    let sandbox = Sandbox::software();
    for command in ["create", "verify", "restore"] {
        let ended = Terminal::run(&sandbox, &["backup", command, "-"]).end();
        assert_eq!(ended.code, 2, "{}", ended.shown);
        assert!(ended.shown.contains("is a terminal"), "{}", ended.shown);
        assert!(!ended.shown.contains("SQLite format 3"));
    }
}

#[test]
fn the_backup_and_its_password_do_not_come_from_one_stream() {
    let sandbox = Sandbox::softhsm();
    create(&sandbox, "node.backup");
    let both = "cat node.backup | $T --format json backup verify - --backup-password-file -";
    shell(&sandbox, both).expect_error(2, "usage");
    sandbox.password_file(PASSWORD);
    let apart = "cat node.backup | $T backup verify - --backup-password-file backup-password";
    let run = shell(&sandbox, apart).expect(0);
    assert!(
        run.stdout.contains("the backup password: yes"),
        "{}",
        run.stdout
    );
}
