//! The runbook, `docs/operations.md`: each of its commands is typed as it stands, on a node in the
//! state that it is for. `cargo xtask e2e` types them in containers.

#[path = "../../../xtask/src/runbook.rs"]
mod text;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use text::{Remedy, remedies};
use time::Duration;

use crate::corrections::save_credential;
use crate::sandbox::{PASSWORD, Run, Sandbox, is_on_server, put, tool};
use crate::scenarios::physical;
use crate::tls_admin::pki::{KINDS, Pki};

const RUNBOOK: &str = include_str!("../../../docs/operations.md");

/// States in which a node is ready, and something has to be done all the same.
const STILL_READY: [&str; 7] = [
    "ready",
    "without a backup password",
    "certificate ends soon",
    "certificate of a CA ends soon",
    "KEK lost, DEK cached",
    "token lost and back",
    "wrapped DEK damaged, DEK cached",
];

/// A node in this state, with a backup that has a backup password where there is one to be had.
fn node(state: &str) -> Sandbox {
    let sandbox = match state {
        "fresh" => Sandbox::new(),
        "certificate ends soon" | "certificate of a CA ends soon" => {
            let sandbox = Sandbox::software();
            save_credential(&sandbox, Duration::days(350));
            sandbox
        }
        "without a backup password" => Sandbox::softhsm_without_password(),
        "fresh with a physical HSM" => {
            let sandbox = physical::opted_in();
            sandbox.initialise_token();
            sandbox
        }
        "physical HSM replaced" => physical::ready(),
        "newer database" => Sandbox::software(),
        _ => Sandbox::softhsm(),
    };
    fs::create_dir_all(backups(&sandbox)).unwrap();
    if !state.starts_with("fresh") && state != "without a backup password" {
        let file = backups(&sandbox).join("node.backup");
        let create = ["backup", "create", file.to_str().unwrap()];
        sandbox.run(&create).expect(0);
    }
    bring_about(&sandbox, state);
    sandbox
}

fn bring_about(sandbox: &Sandbox, state: &str) {
    let lose_dek = || {
        sandbox.lose_runtime();
        sandbox.run(&["startup"]);
    };
    match state {
        "fresh"
        | "fresh with a physical HSM"
        | "ready"
        | "certificate ends soon"
        | "certificate of a CA ends soon"
        | "without a backup password" => {}
        "KEK lost, DEK cached" => {
            sandbox.delete_keks();
        }
        "physical HSM replaced" => {
            physical::replace_token(sandbox);
            sandbox.run(&["startup"]).expect(0);
        }
        "token lost and back" => {
            sandbox.lose_token();
            lose_dek();
            sandbox.bring_token_back();
        }
        "token lost" => {
            sandbox.lose_token();
            lose_dek();
        }
        "token lost without a backup password" => {
            sandbox.sql("UPDATE sealing SET bek_encrypted_dek = NULL");
            sandbox.lose_token();
            lose_dek();
        }
        "newer database" => {
            sandbox.sql("UPDATE app_version SET version = '0.0.1'");
            sandbox.run(&["startup"]).expect(0);
            sandbox.sql("UPDATE app_version SET version = '99.0.0'");
        }
        "database lost" => sandbox.lose_database(),
        "database damaged" => put(&sandbox.database(), "SQLite format 3\0 and nothing else"),
        "wrapped DEK damaged" => {
            sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = x'00'");
            sandbox.lose_runtime();
        }
        "wrapped DEK damaged, DEK cached" => {
            sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = x'00'");
        }
        "credential damaged" => {
            sandbox.run(&["tls", "renew"]).expect(0);
            sandbox.sql(
                "UPDATE credential SET private_key = NULL WHERE id = \
                 (SELECT credential_id FROM active_tls_server_credential)",
            );
        }
        "two wizard states" => sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"]),
        "two tries without an end" => {
            sandbox.lose_runtime();
            for _ in 0..2 {
                let options = ["-qq", "-e", "trace=fdatasync", "-e"];
                let kill = "inject=fdatasync:signal=SIGKILL:when=1";
                sandbox.run_traced(&[&options[..], &[kill]].concat(), &["startup"]);
            }
        }
        other => panic!("the runbook names a node {other:?} that no test makes"),
    }
}

fn backups(sandbox: &Sandbox) -> PathBuf {
    sandbox.root("var/backups/trustpoint")
}

/// What the runbook writes in capitals, and paths as they are below the sandbox's root.
fn script_for(sandbox: &Sandbox, remedy: &Remedy) -> String {
    let mut script = remedy.script.clone();
    if script.contains("SNAPSHOT") {
        let said = sandbox
            .run(&["startup"])
            .expect_error(12, "version_downgrade");
        let path = said
            .split([' ', ',', '"', '`'])
            .find_map(|word| word.split_once("/snapshots/"));
        script = script.replace("SNAPSHOT", path.expect(&said).1);
    }
    if script.contains("FINGERPRINT") {
        let listed = sandbox.run(&["tls", "history"]).expect(0);
        script = script.replace(
            "FINGERPRINT",
            &listed.text("/credentials/1/sha256_fingerprint"),
        );
    }
    if script.contains("SERIAL") {
        let shown = sandbox.run(&["keys", "show"]).expect(0);
        script = script.replace("SERIAL", &shown.text("/keys/copies/0/serial"));
    }
    if script.contains("RECIPIENT") {
        let key = sandbox.path("node.key");
        let key = key.to_str().unwrap();
        tool("age-keygen", ["-o", key]);
        script = script.replace("RECIPIENT", tool("age-keygen", ["-y", key]).trim());
    }
    let root = sandbox.path("root").display().to_string();
    for directory in [
        "/run/secrets/",
        "/var/backups/",
        "/var/lib/trustpoint/",
        "/etc/trustpoint/",
    ] {
        script = script.replace(directory, &format!("{root}{directory}"));
    }
    script
}

/// Types it into a shell that knows the program by its name.
fn type_in(sandbox: &Sandbox, script: &str) -> Run {
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_trustpointctl"),
        bin.join("trustpointctl"),
    );
    let program = sandbox.command::<&str>(&[]);
    let mut shell = Command::new("bash");
    shell
        .args(["-euc", script])
        .current_dir(sandbox.path(""))
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TRUSTPOINT_ROOT", sandbox.path("root"))
        .env(
            "PATH",
            format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display()),
        )
        .stdin(Stdio::null());
    Run::of(shell.output().unwrap())
}

#[test]
fn every_remedy_of_the_runbook_can_be_typed_as_it_stands() {
    let all = remedies(RUNBOOK).unwrap();
    let on_host = all
        .iter()
        .filter(|remedy| remedy.place.as_deref() != Some("containers"));
    let mut typed = 0;
    for remedy in on_host {
        // A restore replaces no tables of a server that it cannot read.
        if is_on_server() && remedy.node == "database damaged" {
            continue;
        }
        let sandbox = node(&remedy.node);
        let secrets = sandbox.root("run/secrets");
        put(&secrets.join("backup_password"), format!("{PASSWORD}\n"));
        if remedy.script.contains("tls import") {
            let pki = Pki::new(&sandbox);
            pki.server("tls", KINDS[2].1);
            for name in ["tls.key", "tls.pem"] {
                put(&backups(&sandbox).join(name), pki.read(name));
            }
        }
        let script = script_for(&sandbox, remedy);
        let is_ready = sandbox.run(&["status"]).outcome() == "ready";
        assert_eq!(
            is_ready,
            STILL_READY.contains(&remedy.node.as_str()),
            "{}",
            remedy.node
        );
        let run = type_in(&sandbox, &script);
        let place = format!("docs/operations.md:{}: {script}", remedy.line);
        assert_eq!(run.code, 0, "{place}\n{}{}", run.stdout, run.stderr);
        if let Some(then) = &remedy.then {
            assert_eq!(sandbox.run(&["status"]).outcome(), *then, "{place}");
        }
        typed += 1;
    }
    assert!(typed >= 20, "only {typed} were found");
}

/// What stands between backticks in a line and begins with the program's name.
fn inline_commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            let quoted = line.split('`').skip(1).step_by(2);
            commands.extend(
                quoted
                    .filter(|text| text.starts_with("trustpointctl "))
                    .map(str::to_owned),
            );
        }
    }
    commands
}

#[test]
fn every_command_between_the_lines_is_one_that_the_program_knows() {
    let commands = inline_commands(RUNBOOK);
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands
        .iter()
        .filter(|command| !command.contains("COMMAND"))
    {
        let words = command.split(' ').skip(1).chain(["--help"]);
        let run = Sandbox::new().run_human(&words.collect::<Vec<_>>());
        assert_eq!(run.code, 0, "{command}: {}", run.stderr);
    }
}
