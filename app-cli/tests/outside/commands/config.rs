//! `config show`, `history`, `completions`, `--help`, `--version`.

use std::process::Command;

use super::changes_nothing;
use crate::sandbox::{PIN, SO_PIN, Sandbox, put};

fn setting(sandbox: &Sandbox, arguments: &[&str], key: &str) -> (String, String) {
    let run = sandbox.run(&[arguments, &["config", "show"]].concat());
    let run = run.expect(0);
    let rows = run.report["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == key).unwrap();
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    (text("value"), text("origin"))
}

#[test]
fn the_nearer_place_wins_and_is_named() {
    let mut sandbox = Sandbox::new();
    let key = "app.version";
    assert_eq!(
        setting(&sandbox, &[], key),
        (env!("CARGO_PKG_VERSION").to_owned(), "default".to_owned())
    );
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, "[app]\nversion = \"1.0.0\"\n");
    let origin = format!("file {}", file.display());
    assert_eq!(setting(&sandbox, &[], key), ("1.0.0".to_owned(), origin));
    sandbox.set("TRUSTPOINT_APP_VERSION", "2.0.0");
    let (value, origin) = setting(&sandbox, &[], key);
    assert_eq!(value, "2.0.0");
    assert_eq!(origin, "environment TRUSTPOINT_APP_VERSION");
}

#[test]
fn the_flags_win_over_their_variables() {
    let mut sandbox = Sandbox::new();
    let other = sandbox.path("other.toml");
    put(&other, "");
    let other = other.to_str().unwrap();
    sandbox.set("TRUSTPOINT_CONFIG", other);
    let environment = "environment TRUSTPOINT_CONFIG".to_owned();
    let shown = setting(&sandbox, &[], "config");
    assert_eq!(shown, (other.to_owned(), environment));
    sandbox.set("TRUSTPOINT_CONFIG", "/nonexistent.toml");
    let shown = setting(&sandbox, &["--config", other], "config");
    assert_eq!(shown, (other.to_owned(), "flag --config".to_owned()));

    sandbox.set("TRUSTPOINT_CONFIG", other);
    sandbox.set("TRUSTPOINT_ROOT", "/nonexistent");
    let root = sandbox.path("root").display().to_string();
    let shown = setting(&sandbox, &[], "root");
    assert_eq!(shown, (root.clone(), "flag --root".to_owned()));
    let (database, _) = setting(&sandbox, &[], "database.path");
    assert!(database.starts_with(&root), "{database}");
}

#[test]
fn config_show_has_every_documented_key_and_no_secret() {
    let sandbox = Sandbox::new();
    for run in [
        sandbox.run(&["config", "show"]),
        sandbox.run_human(&["config", "show"]),
    ] {
        let run = run.expect(0);
        for key in [
            "database.path",
            "database.url",
            "database.password_file",
            "database.schema",
            "database.wait",
            "database.snapshots",
            "node.id",
            "wizard.state_dir",
            "tls.dir",
            "tls.san",
            "runtime.dir",
            "app.version",
            "hsm.module",
            "hsm.token_label",
            "hsm.uri",
            "hsm.daemon",
            "hsm.wait",
            "hsm.physical",
            "hsm.pin_file",
            "hsm.so_pin_file",
        ] {
            assert!(run.stdout.contains(key), "{key}: {}", run.stdout);
        }
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(!all.contains(PIN) && !all.contains(SO_PIN), "{all}");
    }
    assert!(!sandbox.path("root").exists());
}

#[test]
fn history_has_a_row_for_what_each_start_did() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    for _ in 0..3 {
        sandbox.run(&["startup"]).expect(0);
    }
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    sandbox.run(&["startup"]).expect(0);
    let run = changes_nothing(&sandbox, || sandbox.run(&["history"])).expect(0);
    let rows = run.report["history"].as_array().unwrap();
    let starts = rows.iter().filter(|row| row["event"] == "start");
    let seen: Vec<_> = starts
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            let starts = row["starts"].to_string();
            [
                text("startup_scenario"),
                text("restore_scenario"),
                text("outcome"),
                starts,
            ]
            .join(" ")
        })
        .collect();
    let mut expected = vec![
        "VERSION_MATCH RESTORE_SOFTWARE_WIZARD_COMPLETED ready 1",
        "VERSION_MATCH RESTORE_SOFTWARE_WIZARD_INCOMPLETE setup_required 3",
        "DB_NOT_INITIALIZED - setup_required 1",
    ];
    assert_eq!(seen, expected, "newest first, equal ones in one row");
    for key in ["first_at", "last_at", "version", "container_id", "changes"] {
        assert!(!rows[0][key].is_null(), "{key}");
    }
    let limited = sandbox.run(&["history", "--limit", "1"]).expect(0);
    assert_eq!(limited.report["history"].as_array().unwrap().len(), 1);

    let human = sandbox.run_human(&["history"]).expect(0).stdout;
    expected.truncate(1);
    for word in expected[0].split(' ').take(3) {
        assert!(human.contains(word), "{human}");
    }
}

#[test]
fn history_of_a_node_without_a_database_is_empty_or_says_why() {
    let sandbox = Sandbox::new();
    let run = changes_nothing(&sandbox, || sandbox.run(&["history"])).expect(0);
    assert_eq!(run.report["history"], serde_json::json!([]));
}

#[test]
fn completions_are_scripts_that_the_shells_accept() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = sandbox.run_human(&["completions", shell]).expect(0);
        for word in ["startup", "dry-run", "setup", "history"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
        let script = sandbox.path("completions");
        put(&script, &run.stdout);
        let check = Command::new(shell).arg("-n").arg(&script).output();
        // Not every machine has every shell.
        if let Ok(output) = check {
            assert!(output.status.success(), "{shell}: {output:?}");
        }
    }
    sandbox.run_human(&["completions", "cmd.exe"]).expect(2);
    assert!(!sandbox.path("root").exists());
}

#[test]
fn help_and_version_go_to_standard_output() {
    let sandbox = Sandbox::new();
    let help = sandbox.run_human(&["--help"]).expect(0);
    for word in [
        "startup",
        "status",
        "setup",
        "history",
        "config",
        "Exit codes",
    ] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let version = sandbox.run_human(&["--version"]).expect(0);
    let expected = format!("trustpointctl {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.stdout, expected);
}
