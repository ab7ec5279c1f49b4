//! The page ends at once by a signal, wherever it is, and nothing is half done; nor after a kill.

use std::os::unix::process::ExitStatusExt as _;

use super::{SETUP, Waiting};
use crate::kills::move_away;
use crate::sandbox::{PASSWORD, Sandbox};

/// The signals that end it, with their numbers.
const SIGNALS: [(&str, i32); 3] = [("TERM", 15), ("INT", 2), ("QUIT", 3)];

/// Sends a form in the background: its answer may never come.
fn send(waiting: &Waiting, path: &'static str, fields: &'static [(&str, &str)]) {
    let (mut client, token) = waiting.operator();
    std::thread::spawn(move || {
        let token = [("form_token", token.as_str())];
        // The process may end before it has read this.
        let _ = std::panic::catch_unwind(move || client.post(path, &[&token, fields].concat()));
    });
}

/// Signals it; it ends by that, and takes its code along.
#[track_caller]
fn end(sandbox: &Sandbox, waiting: Waiting, (signal, number): (&str, i32), place: &str) {
    waiting.running.signal(signal);
    let (status, _) = waiting.running.end();
    let ended = status.code().or(status.signal().map(|number| 128 + number));
    assert_eq!(ended, Some(128 + number), "{signal} {place}");
    let code = sandbox.root("run/trustpoint/page-code");
    assert!(!code.exists(), "{signal} {place}");
}

#[test]
fn a_signal_ends_a_page_that_waits() {
    let sandbox = Sandbox::new();
    for signal in SIGNALS {
        let waiting = Waiting::start(&sandbox);
        end(&sandbox, waiting, signal, "idle");
        let waiting = Waiting::start(&sandbox);
        // Connected, and in the middle of a request.
        let _slow = std::net::TcpStream::connect(waiting.address).unwrap();
        let (mut client, _) = waiting.operator();
        client.get("/setup").expect(200);
        end(&sandbox, waiting, signal, "with an operator");
    }
}

/// The steps of a setup that change something, in their order.
const STEPS: [&str; 6] = [
    "done  configure_storage: ",
    "done  initialise_token: ",
    "done  generate_kek: ",
    "done  wrap_dek: ",
    "done  set_backup_password: ",
    "done  cache_dek: ",
];

#[test]
fn a_signal_in_the_middle_of_a_setup_leaves_what_the_next_goes_on_with() {
    let signals = SIGNALS.into_iter().cycle();
    for (step, signal) in STEPS.into_iter().zip(signals) {
        let sandbox = Sandbox::new();
        let mut waiting = Waiting::start(&sandbox);
        send(&waiting, "/setup", &SETUP);
        waiting.running.wait_for_output(step);
        end(&sandbox, waiting, signal, step);
        is_finished_by_the_next(&sandbox, step);
    }
}

#[test]
fn a_kill_in_the_middle_of_a_setup_leaves_what_the_next_goes_on_with() {
    for step in STEPS {
        let sandbox = Sandbox::new();
        let mut waiting = Waiting::start(&sandbox);
        send(&waiting, "/setup", &SETUP);
        waiting.running.wait_for_output(step);
        waiting.running.signal("KILL");
        let (status, _) = waiting.running.end();
        assert_eq!(status.signal(), Some(9), "{step}");
        let look = sandbox.run(&["hsm", "check"]);
        if look.code == 69 {
            move_away(sandbox.store().list().unwrap(), &look, step);
        }
        is_finished_by_the_next(&sandbox, step);
    }
}

/// The next page finishes the setup, and nothing is lost by it: the password brings all of it back.
#[track_caller]
fn is_finished_by_the_next(sandbox: &Sandbox, step: &str) {
    if sandbox.wizard() != "WIZARD_COMPLETED" {
        let waiting = Waiting::start(sandbox);
        send(&waiting, "/setup", &SETUP);
        waiting.application();
    }
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.outcome(), "ready", "{step}");
    assert!(!sandbox.root("run/trustpoint/page-code").exists());
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let file = sandbox.password_file(PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&recover).expect(0);
    let back = sandbox.run(&["startup"]).expect(0);
    assert_eq!(back.fingerprint(), ready.fingerprint(), "{step}");
}

#[test]
fn a_signal_in_the_middle_of_a_recovery_leaves_what_the_next_goes_on_with() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let steps = [
        "ok  unwrap_dek: ",
        "done  initialise_token: ",
        "done  generate_kek: ",
        "done  wrap_dek: ",
        "done  provide_tls: ",
    ];
    let signals = SIGNALS.into_iter().chain([("KILL", 9)]).cycle();
    for (step, signal) in steps.into_iter().zip(signals) {
        sandbox.lose_token();
        sandbox.new_container();
        let mut waiting = Waiting::start(&sandbox);
        send(&waiting, "/recover", &[("password", PASSWORD)]);
        waiting.running.wait_for_output(step);
        if signal.0 == "KILL" {
            waiting.running.signal("KILL");
            waiting.running.end();
        } else {
            end(&sandbox, waiting, signal, step);
        }
        if sandbox.run(&["startup"]).expect(0).outcome() != "ready" {
            let waiting = Waiting::start(&sandbox);
            send(&waiting, "/recover", &[("password", PASSWORD)]);
            waiting.application();
        }
        let ready = sandbox.run(&["startup"]).expect(0);
        assert_eq!(ready.fingerprint(), fingerprint, "{step}");
    }
}

#[test]
fn a_signal_on_the_last_screen_leaves_a_node_that_is_ready() {
    for signal in SIGNALS {
        let sandbox = Sandbox::new();
        let waiting = Waiting::start(&sandbox);
        send(&waiting, "/setup", &[("storage", "software")]);
        // That page stays for some seconds, or for a second after somebody has seen it.
        while sandbox.wizard() != "WIZARD_COMPLETED" {
            std::thread::yield_now();
        }
        end(&sandbox, waiting, signal, "at the end");
        assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    }
}
