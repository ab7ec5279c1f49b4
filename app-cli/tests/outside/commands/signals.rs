//! Signals while the module is at work: SoftHSM writes its token anew in each C_Login.

use super::Running;
use crate::sandbox::{Sandbox, put, wrapped};
use std::fs;

const SIGNALS: [(&str, i32); 4] = [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)];

/// A SoftHSM node in a new container, whose module does this in C_Login.
fn disturbed(fault: &str) -> Sandbox {
    let mut sandbox = Sandbox::softhsm();
    sandbox.use_shim();
    for (variable, file) in [
        ("SHIM_LOGINS", "logins"),
        ("SHIM_LOGGED", "logged"),
        ("SHIM_GO", "go"),
    ] {
        let file = sandbox.path(file).display().to_string();
        sandbox.set(variable, &file);
    }
    sandbox.set("SHIM_FAULT", fault);
    sandbox.new_container();
    sandbox
}

/// A start with signals as `env` makes them, which has come to C_Login.
fn in_the_login(sandbox: &Sandbox, signals: &str) -> Running {
    for file in ["logins", "logged", "go"] {
        let _ = fs::remove_file(sandbox.path(file));
    }
    let start = sandbox.command(&["startup"]);
    let mut running = Running::start(&mut wrapped(&["env", signals], &start, None));
    running.wait_for_file(&sandbox.path("logins"));
    running
}

fn ledger(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.root("var/lib/trustpoint/pin-rejected")).unwrap()
}

#[test]
fn a_signal_waits_until_the_login_has_come_back_and_is_noted() {
    let sandbox = disturbed("18:wait");
    for (signal, code) in SIGNALS {
        let running = in_the_login(&sandbox, "--default-signal");
        running.signal(signal);
        put(&sandbox.path("go"), "");
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(code), "{signal}: {said}");
        assert!(sandbox.path("logged").exists(), "{signal}");
        let text = ledger(&sandbox);
        assert!(text.ends_with(" unseen=0\n"), "{signal}: {text}");
        assert!(!sandbox.dek_cache().exists(), "it ends at once: {signal}");
    }
}

#[test]
fn a_signal_in_a_call_that_never_comes_back_ends_the_process_at_the_deadline() {
    let mut sandbox = disturbed("18:hang");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "10s");
    let running = in_the_login(&sandbox, "--default-signal");
    running.signal("TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(143), "{said}");
    let text = ledger(&sandbox);
    assert!(text.ends_with(" unseen=1\n"), "nobody saw its end: {text}");
}

#[test]
fn a_hangup_that_is_ignored_as_by_nohup_ends_nothing() {
    let sandbox = disturbed("18:wait");
    let running = in_the_login(&sandbox, "--ignore-signal=HUP");
    running.signal("HUP");
    put(&sandbox.path("go"), "");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
}
