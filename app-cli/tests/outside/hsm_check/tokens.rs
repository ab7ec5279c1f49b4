//! Tokens that cannot keep a KEK, or have no try of their PIN to spare: `hsm check` says so, and so
//! does whoever would use one, before a PIN is tried.

use super::{LOGIN, find, names, result, token};
use crate::pin_budget::{count_logins, logins};
use crate::sandbox::{Run, Sandbox};

const SETUP: [&str; 4] = ["setup", "--storage", "softhsm", "--no-backup-password"];

/// AES_KEY_WRAP (0x2109) is not offered: AES_GCM is used.
const GCM_ALONE: (&str, &str) = ("SHIM_HIDE", "2109");

/// A node that waits for its setup, with a token beside it.
fn fresh() -> Sandbox {
    let sandbox = token();
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// A fresh node and one in service, whose tokens have become like this.
fn both(variable: &str, value: &str) -> [Sandbox; 2] {
    let mut node = Sandbox::softhsm();
    count_logins(&mut node);
    node.new_container();
    let mut sandboxes = [fresh(), node];
    for sandbox in &mut sandboxes {
        sandbox.set(variable, value);
    }
    sandboxes
}

/// What `hsm check` fails with, and nothing is changed and no PIN is tried.
#[track_caller]
fn refuses(sandbox: &Sandbox, code: i32, kind: &str) -> (Run, String) {
    let before = sandbox.picture();
    let run = sandbox.run(&LOGIN);
    let said = run.expect_error(code, kind);
    assert_eq!(sandbox.picture(), before, "{said}");
    assert_eq!(logins(sandbox), 0, "{said}");
    (run, said)
}

#[test]
fn one_that_no_program_can_log_in_to_is_refused_before_a_pin_is_tried() {
    for (variable, flag, word) in [
        ("SHIM_FLAGS", "100", "CKF_PROTECTED_AUTHENTICATION_PATH"),
        ("SHIM_CLEAR", "4", "CKF_LOGIN_REQUIRED"),
    ] {
        let [fresh, node] = both(variable, flag);
        for sandbox in [&fresh, &node] {
            let (run, said) = refuses(sandbox, 78, "config");
            assert!(said.contains(word), "{said}");
            assert_eq!(names(&run, "fail"), ["pin"]);
            assert_eq!(result(&run, "mechanism"), "pass", "all else is shown");
            assert!(find(&run, "key", "detail").contains("comes first"));
        }
        let said = fresh.fails_unchanged(&SETUP, 78, "config");
        assert!(said.contains(word), "{said}");
        let said = node.fails_unchanged(&["startup"], 78, "config");
        assert!(said.contains(word), "{said}");
        for sandbox in [&fresh, &node] {
            assert_eq!(logins(sandbox), 0);
        }
    }
}

/// C_FindObjectsInit: CKR_USER_NOT_LOGGED_IN.
#[test]
fn one_that_shows_nothing_without_a_login_is_refused_before_a_pin_is_tried() {
    let [fresh, node] = both("SHIM_FAULT", "26:101");
    for (sandbox, command) in [(&fresh, &SETUP[..]), (&node, &["startup"])] {
        let (_, said) = refuses(sandbox, 78, "config");
        assert!(said.contains("shows nothing without a login"), "{said}");
        let said = sandbox.fails_unchanged(command, 78, "config");
        assert!(said.contains("CKR_USER_NOT_LOGGED_IN"), "{said}");
        assert_eq!(logins(sandbox), 0);
    }
}

#[test]
fn one_without_a_mechanism_to_wrap_with_is_refused_with_what_it_offers() {
    let mut sandbox = fresh();
    sandbox.set("SHIM_HIDE", "2109,1087");
    let (run, said) = refuses(&sandbox, 78, "config");
    for word in ["neither AES_KEY_WRAP", "nor AES_GCM", "AES_ECB", "RSA_PKCS"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(names(&run, "fail"), ["mechanism"]);
    let said = sandbox.fails_unchanged(&SETUP, 78, "config");
    assert!(said.contains("AES_ECB"), "{said}");
    assert_eq!(logins(&sandbox), 0);
}

#[test]
fn c18_one_without_a_try_to_spare_is_asked_for_none() {
    for (variable, flag, word) in [
        ("SHIM_FLAGS", "20000", "one try of the user PIN left"),
        ("SHIM_FLAGS", "40000", "has locked its user PIN"),
        ("SHIM_CLEAR", "8", "has no user PIN yet"),
    ] {
        for sandbox in both(variable, flag) {
            let (run, said) = refuses(&sandbox, 77, "denied");
            assert!(said.contains(word), "{said}");
            assert_eq!(names(&run, "fail"), ["pin"]);
        }
    }
}

#[test]
fn c18_a_count_that_is_low_is_warned_of_and_allows_the_try() {
    let mut sandbox = token();
    sandbox.set("SHIM_FLAGS", "10000");
    let run = sandbox.run(&LOGIN).expect(0);
    assert_eq!(names(&run, "warn"), ["pin"]);
    assert!(find(&run, "pin", "detail").contains("CKF_USER_PIN_COUNT_LOW"));
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn c16_one_that_puts_its_own_iv_in_front_is_refused() {
    let mut sandbox = token();
    sandbox.set(GCM_ALONE.0, GCM_ALONE.1);
    sandbox.set("SHIM_GCM", "front");
    let run = sandbox.run(&LOGIN);
    let said = run.expect_error(78, "config");
    assert!(said.contains("60 bytes where 48 are due"), "{said}");
    assert_eq!(names(&run, "fail"), ["wrap_aes_gcm"]);
    let said = sandbox.run(&SETUP).expect_error(78, "config");
    assert!(said.contains("60 bytes where 48 are due"), "{said}");
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).outcome(),
        "setup_required"
    );
    // With AES_KEY_WRAP it does not matter.
    sandbox.unset(GCM_ALONE.0);
    let run = sandbox.run(&LOGIN).expect(0);
    assert_eq!(names(&run, "warn"), ["wrap_aes_gcm"]);
}

#[test]
fn c16_the_iv_that_a_token_chose_is_the_one_that_is_kept() {
    let mut sandbox = token();
    sandbox.set(GCM_ALONE.0, GCM_ALONE.1);
    sandbox.set("SHIM_GCM", "over");
    let run = sandbox.run(&LOGIN).expect(0);
    assert_eq!(result(&run, "wrap_aes_gcm"), "pass");
    sandbox.run(&SETUP).expect(0);
    sandbox.new_container();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    let blob = sandbox.sql("SELECT hex(encrypted_dek) FROM pkcs11_token");
    assert_eq!(blob.get(10..12), Some("02"), "wrapped with AES_GCM");
}

/// CKA_LOCAL and CKA_SENSITIVE.
#[test]
fn one_that_does_not_protect_a_key_as_it_is_told_keeps_none() {
    for (attribute, name) in [("163", "CKA_LOCAL"), ("103", "CKA_SENSITIVE")] {
        let mut sandbox = token();
        sandbox.set("SHIM_FALSE", attribute);
        let run = sandbox.run(&LOGIN);
        let said = run.expect_error(78, "config");
        let told = format!("does not say {name} = true of the new one, which was destroyed");
        assert!(said.contains(&told), "{said}");
        assert_eq!(names(&run, "fail"), ["key"]);
        sandbox.run(&SETUP).expect_error(78, "config");
        assert!(sandbox.keys_on_token().is_empty());
        // Another token, or a module that is mended, and setup goes on where it was.
        sandbox.unset("SHIM_FALSE");
        sandbox.run(&SETUP).expect(0);
        assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    }
}
