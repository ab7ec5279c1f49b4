//! Every command on nodes in every state that is cheap to bring about: [`Sandbox::run`] compares
//! each report, each line of the log and each kept report with its schema.

use std::collections::BTreeSet;

use super::lock::Holder;
use crate::sandbox::{Sandbox, put};

/// Every command, some of them twice; `@` means a file of the sandbox.
const CALLS: [&str; 27] = [
    "no-such-command",
    "status",
    "doctor",
    "history",
    "config show",
    "hsm check --login",
    "startup --dry-run",
    "startup --lock-wait 0",
    "keys show",
    "keys verify-backup-password --backup-password-file @backup-password",
    "keys set-backup-password --lock-wait 0 --backup-password-file @backup-password",
    "keys rotate-kek --lock-wait 0",
    "keys forget-token --lock-wait 0 --yes --backup-password-file @backup-password SERIAL",
    "tls show",
    "tls history",
    "tls renew --lock-wait 0",
    "tls import --lock-wait 0 --key @key.pem --cert @cert.pem",
    "tls activate --lock-wait 0 --force FINGERPRINT",
    "backup create --force @node.backup",
    "backup create @node.backup",
    "backup verify @node.backup",
    "backup verify --backup-password-file @backup-password @node.backup",
    "backup restore --lock-wait 0 @node.backup",
    "setup --lock-wait 0 --storage physical_hsm",
    "recover --lock-wait 0 --backup-password-file @backup-password",
    "setup --lock-wait 0 --storage softhsm --backup-password-file @backup-password",
    "-v startup --lock-wait 0",
];

/// Commands, each with the kind of an error that it ended with; empty where it worked.
#[derive(Default)]
struct Seen(BTreeSet<(String, String)>);

impl Seen {
    /// Makes every call, and gives back the kind of `status`.
    fn walk(&mut self, sandbox: &Sandbox) -> String {
        let mut of_status = String::new();
        let mut fingerprint = "AB".to_owned();
        let mut serial = "0815".to_owned();
        for call in CALLS {
            let words = call.split(' ').map(|word| match word.strip_prefix('@') {
                Some(file) => sandbox.path(file).display().to_string(),
                None => word
                    .replace("FINGERPRINT", &fingerprint)
                    .replace("SERIAL", &serial),
            });
            let words: Vec<_> = words.collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let run = sandbox.run(&words);
            let (command, kind) = (run.text("/command"), run.text("/error/kind"));
            assert!(!command.is_empty(), "{call}: {}", run.stderr);
            match call {
                "status" => of_status.clone_from(&kind),
                "tls history" if kind.is_empty() => {
                    fingerprint = run.text("/credentials/0/sha256_fingerprint");
                }
                "keys show" if kind.is_empty() => serial = run.text("/keys/token/serial"),
                _ => {}
            }
            self.0.insert((command, kind));
        }
        of_status
    }
}

/// A node that is ready, with what the calls name.
fn ready() -> Sandbox {
    let sandbox = Sandbox::softhsm();
    for (name, file) in [("key", "key.pem"), ("cert", "cert.pem")] {
        let end = if name == "key" { "key" } else { "pem" };
        let from = sandbox.tls(&format!("nginx-tls-server-{name}.{end}"));
        put(&sandbox.path(file), std::fs::read(from).unwrap());
    }
    sandbox
}

#[test]
fn of_every_command_in_every_state_is_as_its_schema_says() {
    let mut seen = Seen::default();
    let fresh = Sandbox::new();
    fresh.password_file(crate::sandbox::PASSWORD);
    assert_eq!(seen.walk(&fresh), "");
    assert_eq!(
        fresh.run(&["status"]).outcome(),
        "ready",
        "set up on the way"
    );

    let node = ready();
    assert_eq!(seen.walk(&node), "");
    node.lose_token();
    node.new_container();
    assert_eq!(node.run(&["status"]).outcome(), "recovery_required");
    assert_eq!(seen.walk(&node), "");
    assert_eq!(
        node.run(&["status"]).outcome(),
        "ready",
        "recovered on the way"
    );

    let software = Sandbox::software();
    software.password_file(crate::sandbox::PASSWORD);
    assert_eq!(seen.walk(&software), "");

    let holder = Holder::of(&node);
    assert_eq!(seen.walk(&node), "");
    holder.release();

    for (variable, value, kind) in [
        ("TRUSTPOINT_HSM_WAIT", "soon", "config"),
        (
            "TRUSTPOINT_HSM_DAEMON",
            "tcp://127.0.0.1:1",
            "hsm_unavailable",
        ),
        ("HSM_PIN", "0000-0000", "denied"),
    ] {
        let mut node = ready();
        node.new_container();
        if kind == "hsm_unavailable" {
            node.set("TRUSTPOINT_HSM_WAIT", "200ms");
        }
        node.set(variable, value);
        assert_eq!(seen.walk(&node), kind, "{variable}");
    }
    let mut node = ready();
    node.make_database_unavailable();
    assert_eq!(seen.walk(&node), "database_unavailable");
    for (statement, kind) in [
        (
            "UPDATE app_version SET version = '99.0.0'",
            "version_downgrade",
        ),
        (
            "UPDATE key_storage_config SET storage_type = 'physical_hsm'",
            "storage_unsupported",
        ),
        ("UPDATE app_version SET version = 'noise'", "data_corrupt"),
    ] {
        let node = ready();
        node.sql(statement);
        assert_eq!(seen.walk(&node), kind, "{statement}");
    }
    seen.is_enough();
}

impl Seen {
    /// Every command has worked and has failed, and every kind of error was among its failures.
    fn is_enough(&self) {
        let kinds: BTreeSet<_> = self.0.iter().map(|(_, kind)| kind.as_str()).collect();
        let all = ports::FaultKind::ALL.map(ports::FaultKind::name);
        let left: Vec<_> = all.iter().filter(|kind| !kinds.contains(*kind)).collect();
        assert_eq!(left, [&"internal"], "{:#?}", self.0);
        let mut commands = crate::schema::commands();
        // It reports only where this process could not be made safe.
        commands.retain(|command| command != "completions");
        for command in commands {
            let of = self.0.iter().filter(|(name, _)| *name == command);
            let kinds: BTreeSet<_> = of.map(|(_, kind)| kind.as_str()).collect();
            assert!(
                kinds.contains("") && kinds.len() > 1,
                "{command}: {kinds:?}"
            );
        }
    }
}
