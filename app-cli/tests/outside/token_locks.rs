//! The PIN budget (C18) on a token that locks: Kryoptic, whose tenth wrong PIN in a row is the last.

use crate::sandbox::token::Kind;
use crate::sandbox::{PIN, SO_PIN, Sandbox, run_tool, tool};

const WRONG: &str = "3141-5926";

/// How many wrong PINs in a row lock the token.
const MOST: usize = 10;

/// A node that was set up, in a new container.
fn node() -> Sandbox {
    let sandbox = Sandbox::softhsm_on(Kind::Kryoptic);
    sandbox.new_container();
    sandbox
}

/// How many wrong PINs in a row the token has counted, as it keeps them itself.
fn counted(sandbox: &Sandbox) -> String {
    let tokens = sandbox.store().list().unwrap();
    let count = "SELECT hex(data) FROM meta WHERE name = 'USER COUNTER' AND value = 'USER'";
    let hex = tool("sqlite3", [tokens[0].as_os_str(), count.as_ref()]);
    hex.trim().trim_end_matches("00").to_owned()
}

/// Wrong PINs by another tool; what it said at the last.
fn use_up(sandbox: &Sandbox, tries: usize) -> String {
    let mut said = String::new();
    for _ in 0..tries {
        let mut tool = sandbox.login(WRONG);
        let output = tool.arg("--list-objects").output().unwrap();
        assert!(!output.status.success());
        said = String::from_utf8(output.stderr).unwrap();
    }
    said
}

/// What the token says of its PIN, as `keys show` shows it.
fn pin_state(sandbox: &Sandbox) -> String {
    let run = sandbox.run(&["keys", "show"]);
    run.text("/keys/token/pin")
}

/// The start is refused, and the token has not counted a try.
#[track_caller]
fn refuses_without_a_try(sandbox: &Sandbox, words: &[&str]) {
    let before = counted(sandbox);
    for command in [&["startup"][..], &["status"], &["startup", "--dry-run"]] {
        let said = sandbox.fails_unchanged(command, 77, "denied");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    assert_eq!(counted(sandbox), before);
}

#[track_caller]
fn is_ready(sandbox: &Sandbox) {
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert_eq!(counted(sandbox), "");
}

#[test]
fn c18_fifty_starts_with_a_wrong_pin_use_one_try() {
    let mut sandbox = node();
    sandbox.set("HSM_PIN", WRONG);
    for _ in 0..50 {
        sandbox.run(&["startup"]).expect_error(77, "denied");
    }
    assert_eq!(counted(&sandbox), "01");
    sandbox.set("HSM_PIN", PIN);
    is_ready(&sandbox);
}

#[test]
fn c18_fifty_starts_that_are_killed_inside_the_login_use_two_tries() {
    let mut sandbox = node();
    sandbox.set("HSM_PIN", WRONG);
    sandbox.use_shim();
    // When C_Login has come back from the token.
    sandbox.set("SHIM_FAULT", "18:kill");
    for start in 0..50 {
        let run = sandbox.run(&["startup"]);
        assert_eq!(run.code, if start < 2 { -1 } else { 77 }, "{}", run.said());
    }
    assert_eq!(counted(&sandbox), "02");
    let note = sandbox.database().with_file_name("pin-rejected");
    std::fs::remove_file(note).unwrap();
    sandbox.configure_module();
    sandbox.set("HSM_PIN", PIN);
    is_ready(&sandbox);
}

#[test]
fn c18_a_count_that_is_low_is_told_and_allows_the_try() {
    let sandbox = node();
    use_up(&sandbox, MOST - 3);
    assert_eq!(pin_state(&sandbox), "count_low");
    // `keys show` has logged in.
    assert_eq!(counted(&sandbox), "");
    use_up(&sandbox, MOST - 3);
    let run = sandbox.run(&["startup"]).expect(0);
    assert!(run.warnings().contains("tries run low"), "{}", run.stdout);
    is_ready(&sandbox);
}

#[test]
fn c18_the_last_try_is_left_to_the_operator() {
    let sandbox = node();
    let said = use_up(&sandbox, MOST - 1);
    assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
    assert_eq!(pin_state(&sandbox), "final_try");
    let words = ["one try of the user PIN left", "log in once by hand"];
    refuses_without_a_try(&sandbox, &words);
    assert_eq!(counted(&sandbox), "09");
    // What the hint says works.
    run_tool(sandbox.login(PIN).arg("--list-objects"));
    is_ready(&sandbox);
}

#[test]
fn c18_a_locked_token_is_not_tried_and_its_officer_unlocks_it() {
    let sandbox = node();
    let said = use_up(&sandbox, MOST);
    assert!(said.contains("CKR_PIN_LOCKED"), "{said}");
    assert_eq!(pin_state(&sandbox), "locked");
    refuses_without_a_try(&sandbox, &["locked", "--login-type so", "the keys stay"]);
    assert_eq!(counted(&sandbox), "0A");
    // What the hint says works.
    let mut officer = sandbox.store().pkcs11_tool().unwrap();
    officer.args(["--slot", "0", "--login", "--login-type", "so"]);
    run_tool(officer.args(["--so-pin", SO_PIN, "--init-pin", "--new-pin", PIN]));
    is_ready(&sandbox);
}
