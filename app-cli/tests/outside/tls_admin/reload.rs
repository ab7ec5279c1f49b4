//! The command that has nginx take up a new set.

use std::fs;

use super::pki::{KINDS, Pki};
use crate::interop::nginx::Nginx;
use crate::sandbox::{Sandbox, put};

fn configure(sandbox: &Sandbox, command: &[&str]) {
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, format!("[nginx]\nreload = {command:?}\n"));
}

#[test]
fn a_running_nginx_serves_the_new_certificate_of_every_kind() {
    let sandbox = Sandbox::software();
    let nginx = Nginx::start_with_master(&sandbox);
    let prefix = sandbox.path("nginx").display().to_string();
    let reload = [
        "nginx",
        "-p",
        &prefix,
        "-c",
        "nginx.conf",
        "-e",
        "error.log",
    ];
    configure(&sandbox, &[&reload[..], &["-s", "reload"]].concat());
    let run = sandbox.run(&["tls", "renew"]).expect(0);
    assert_eq!(run.step("reload_web_server"), "done", "{}", run.warnings());
    nginx.wait_until_served(&sandbox, &run.fingerprint());

    let pki = Pki::new(&sandbox);
    let chain = pki.join("chain.pem", &["sub.pem", "root.pem"]);
    for (name, kind) in KINDS {
        pki.server(name, kind);
        let [key, pem] = ["key", "pem"].map(|end| pki.path(&format!("{name}.{end}")));
        let arguments = [
            "tls", "import", "--key", &key, "--cert", &pem, "--chain", &chain,
        ];
        let run = sandbox.run(&arguments).expect(0);
        nginx.wait_until_served(&sandbox, &run.fingerprint());
    }
}

#[test]
fn without_a_reload_command_a_line_says_so() {
    let sandbox = Sandbox::software();
    let run = sandbox.run(&["tls", "renew"]).expect(0);
    assert_eq!(run.step("reload_web_server"), "skipped");
    let human = sandbox.run_human(&["tls", "renew"]).expect(0);
    assert!(human.stdout.contains("no nginx.reload is configured"));
}

#[test]
fn a_reload_that_fails_is_warned_about_and_the_set_is_in_place() {
    let sandbox = Sandbox::software();
    for (command, word) in [
        (
            &["sh", "-c", "echo out of order >&2; exit 3"][..],
            "out of order",
        ),
        (&["/nonexistent/nginx"][..], "cannot be run"),
    ] {
        configure(&sandbox, command);
        let run = sandbox.run(&["tls", "renew"]).expect(0);
        assert!(run.warnings().contains(word), "{}", run.warnings());
        assert!(run.warnings().contains("by hand"), "{}", run.warnings());
        super::assert_serves(&sandbox, &run.fingerprint());
    }
}

#[test]
fn recovery_reloads_nginx_too() {
    let sandbox = Sandbox::softhsm();
    let trace = sandbox.path("reloaded");
    configure(&sandbox, &["touch", trace.to_str().unwrap()]);
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    assert!(!trace.exists());
    let file = sandbox.password_file(crate::sandbox::PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&recover).expect(0);
    assert!(fs::exists(trace).unwrap());
}

#[test]
fn a_start_that_finds_the_token_back_reloads_the_web_server_beside_it() {
    let sandbox = Sandbox::softhsm();
    let trace = sandbox.path("reloaded");
    configure(&sandbox, &["touch", trace.to_str().unwrap()]);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("reload_web_server"), "", "the set is the same");
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert!(
        !trace.exists(),
        "what Nginx has is better than what it would get"
    );
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.step("reload_web_server"), "done");
    assert!(fs::exists(trace).unwrap());
}
