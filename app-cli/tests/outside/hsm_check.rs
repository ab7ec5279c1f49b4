//! `hsm check`: what a token can do is tried out, a PIN is tried only where somebody allows it, and
//! nothing stays behind.

mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::pin_budget::ledger::KILLED;
use crate::pin_budget::{count_logins, logins};
use crate::sandbox::{PIN, Run, SO_PIN, Sandbox};
use crate::terminal::pty::{Ended, Terminal};

const CHECK: [&str; 2] = ["hsm", "check"];
const LOGIN: [&str; 3] = ["hsm", "check", "--login"];
const QUESTION: &str = "Log in? [y/N]: ";

/// An initialised token and no node, behind a module that counts logins.
fn token() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.initialise_token();
    count_logins(&mut sandbox);
    sandbox
}

/// Result of the check with this name, or empty.
fn result(run: &Run, name: &str) -> String {
    find(run, name, "result")
}

fn find(run: &Run, name: &str, field: &str) -> String {
    let checks = run.report["checks"].as_array().cloned().unwrap_or_default();
    let check = checks.iter().find(|check| check["name"] == name);
    check
        .and_then(|check| check[field].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The names of the checks that ended like this.
fn names(run: &Run, result: &str) -> Vec<String> {
    let checks = run.report["checks"].as_array().cloned().unwrap_or_default();
    let ended = checks.iter().filter(|check| check["result"] == result);
    ended
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

/// The files of the token. Those that SoftHSM writes anew at each login count by their names alone.
fn files(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    let mut files = Sandbox::picture_below(&sandbox.path("tokens"));
    for (path, content) in &mut files {
        let name = path.file_name().unwrap().to_str().unwrap();
        if ["token.object", "generation"].contains(&name) {
            content.clear();
        }
    }
    files
}

#[test]
fn every_trial_works_on_softhsm_and_leaves_token_and_node_as_they_were() {
    let sandbox = Sandbox::softhsm();
    let objects = sandbox.pkcs11_tool(&["--list-objects"]);
    assert!(objects.contains("trustpoint-kek"), "{objects}");
    let (before, token) = (sandbox.picture(), files(&sandbox));
    let run = sandbox.run(&LOGIN).expect(0);
    let passed = [
        "mechanism",
        "pin",
        "serial",
        "random",
        "key",
        "wrap_aes_key_wrap",
        "wrap_aes_gcm",
        "stays",
        "marker",
    ];
    assert_eq!(names(&run, "pass"), passed, "{}", run.stdout);
    assert_eq!(run.report["checks"].as_array().unwrap().len(), passed.len());
    assert_eq!(run.text("/token/label"), "Trustpoint-SoftHSM");
    assert_eq!(run.text("/token/pin"), "fine");
    let mechanisms = run.report["mechanisms"].to_string();
    assert!(mechanisms.contains("\"AES_KEY_WRAP\""), "{mechanisms}");
    assert_eq!(sandbox.pkcs11_tool(&["--list-objects"]), objects);
    assert_eq!(files(&sandbox), token);
    assert_eq!(sandbox.picture(), before);
}

#[test]
fn what_it_shows_can_be_pasted_into_an_issue() {
    let sandbox = token();
    let run = sandbox.run_human(&LOGIN).expect(0);
    for line in [
        "module: Implementation of PKCS11 2.6 by SoftHSM",
        "token: \"Trustpoint-SoftHSM\", serial ",
        "device: \"SoftHSM project\" \"SoftHSM v2\", firmware 2.6",
        "mechanisms: AES_",
        "9 passed, 0 warnings, 0 failed",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    assert!(!run.said().contains(PIN), "{}", run.said());
}

#[test]
fn it_needs_no_node_and_is_in_the_way_of_none() {
    let sandbox = token();
    sandbox.run(&LOGIN).expect(0);
    assert!(!sandbox.database().exists());
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "DB_NOT_INITIALIZED");
    sandbox.setup_softhsm();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn without_a_terminal_it_logs_in_only_where_it_is_told_to() {
    let sandbox = token();
    let run = sandbox.run(&CHECK).expect(0);
    assert_eq!(
        names(&run, "pass"),
        ["mechanism", "pin", "serial", "random"]
    );
    assert_eq!(names(&run, "warn"), ["key"]);
    assert!(find(&run, "key", "detail").contains("nobody allowed a login"));
    assert!(find(&run, "key", "hint").contains("--login"));
    assert_eq!(logins(&sandbox), 0);
    sandbox.run(&LOGIN).expect(0);
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn at_a_terminal_it_asks_first() {
    let sandbox = token();
    for (answer, tries, shown) in [
        ("n", 0, "nobody allowed a login"),
        ("", 0, "nobody allowed a login"),
        ("y", 1, "wrap_aes_key_wrap"),
    ] {
        let mut terminal = Terminal::run(&sandbox, &CHECK);
        terminal.expect("A wrong PIN counts against the token.");
        terminal.answer(QUESTION, answer);
        let ended: Ended = terminal.end().expect(0);
        let one_line = ended.shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line.contains(shown), "{answer:?}: {}", ended.shown);
        assert_eq!(logins(&sandbox), tries, "{answer:?}");
    }
    let ended = Terminal::run(&sandbox, &LOGIN).end().expect(0);
    assert!(!ended.shown.contains(QUESTION), "{}", ended.shown);
    assert_eq!(logins(&sandbox), 2);
}

#[test]
fn c18_it_goes_on_after_two_tries_whose_end_nobody_saw() {
    let mut sandbox = Sandbox::softhsm();
    count_logins(&mut sandbox);
    sandbox.set("SHIM_FAULT", KILLED);
    sandbox.new_container();
    for _ in 0..2 {
        sandbox.run(&["startup"]).expect(-1);
    }
    sandbox.unset("SHIM_FAULT");
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert!(said.contains("trustpointctl hsm check"), "{said}");
    // To look alone ends nothing.
    sandbox.run(&CHECK).expect(0);
    sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert_eq!(logins(&sandbox), 2);
    sandbox.run(&LOGIN).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert_eq!(logins(&sandbox), 4);
}

#[test]
fn c18_a_wrong_pin_is_one_try_and_everything_else_is_shown() {
    let mut sandbox = token();
    sandbox.set("HSM_PIN", "3141-5926");
    let run = sandbox.run(&LOGIN);
    let said = run.expect_error(77, "denied");
    assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
    assert_eq!(
        names(&run, "pass"),
        ["mechanism", "pin", "serial", "random"]
    );
    assert_eq!(names(&run, "fail"), ["login"]);
    for _ in 0..3 {
        let said = sandbox.run(&LOGIN).expect_error(77, "denied");
        assert!(said.contains("not tried again"), "{said}");
    }
    assert_eq!(logins(&sandbox), 1);
    sandbox.set("HSM_PIN", PIN);
    sandbox.run(&LOGIN).expect(0);
    assert_eq!(logins(&sandbox), 2);
}

#[test]
fn c18_a_missing_pin_is_a_check_that_fails() {
    let mut sandbox = token();
    sandbox.unset("HSM_PIN");
    let run = sandbox.run(&LOGIN);
    let said = run.expect_error(77, "denied");
    assert!(said.contains("hsm.pin_file"), "{said}");
    assert_eq!(names(&run, "fail"), ["login"]);
    assert_eq!(logins(&sandbox), 0);
    assert!(!sandbox.root("var/lib/trustpoint/pin-rejected").exists());
}

#[test]
fn no_token_is_78_and_names_those_that_are_there() {
    let mut sandbox = Sandbox::new();
    let said = sandbox.fails_unchanged(&LOGIN, 78, "config");
    for word in [
        "Trustpoint-SoftHSM",
        "no initialised one",
        "hsm.token_label",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    sandbox
        .store()
        .initialise("Elsewhere", SO_PIN, PIN)
        .unwrap();
    let said = sandbox.fails_unchanged(&LOGIN, 78, "config");
    assert!(said.contains("Elsewhere"), "{said}");
    sandbox.set("TRUSTPOINT_HSM_TOKEN_LABEL", "Elsewhere");
    assert_eq!(result(&sandbox.run(&LOGIN).expect(0), "key"), "pass");
}

#[test]
fn an_hsm_that_is_away_is_69() {
    let mut sandbox = token();
    // C_Initialize: CKR_DEVICE_ERROR.
    sandbox.set("SHIM_FAULT", "0:30");
    sandbox.fails_unchanged(&LOGIN, 69, "hsm_unavailable");
    sandbox.unset("SHIM_FAULT");
    sandbox.set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    sandbox.fails_unchanged(&LOGIN, 69, "hsm_unavailable");
    assert!(
        fs::read(sandbox.path("logins")).is_err(),
        "nobody logged in"
    );
}
