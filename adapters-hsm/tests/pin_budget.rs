//! The PIN budget (C18) on a real token, every C_Login counted.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::fs;
use std::time::Duration;

use adapters_hsm::Pkcs11Hsm;
use common::{Sandbox, config, isolated, logged_in, present, reached, secret, unavailable};
use ports::contract::hsm::PIN;
use ports::fake::PinBook;
use ports::{FaultKind, Hsm, PinMemory};

fn logins(sandbox: &Sandbox) -> usize {
    fs::read(sandbox.path("logins")).map_or(0, |bytes| bytes.len())
}

const COUNT_LOGINS: (&str, &str) = ("SHIM_LOGINS", "{dir}/logins");

#[test]
fn c18_a_restart_loop_uses_one_try_in_all() {
    isolated(
        "c18_a_restart_loop_uses_one_try_in_all",
        &[COUNT_LOGINS],
        |sandbox| {
            sandbox.token("T");
            let book = PinBook::default();
            let module = sandbox.module("shim.c");
            let start = |pin: &str| {
                let hsm = Pkcs11Hsm::new(config(module.clone()), Box::new(book.clone()));
                hsm.reach(Duration::ZERO, &mut |_| {}).unwrap();
                let token = present(&hsm, "T");
                let serial = token.serial.clone();
                (hsm.login(&token, &secret(pin)), serial)
            };
            let (first, serial) = start("wrong");
            let first = first.unwrap_err();
            assert_eq!(first.kind(), FaultKind::Denied);
            assert!(first.causes()[0].contains("CKR_PIN_INCORRECT"));
            assert_eq!(logins(sandbox), 1);
            for _ in 0..3 {
                let (next, _) = start("wrong");
                let next = next.unwrap_err();
                assert_eq!(next.kind(), FaultKind::Denied);
                assert!(next.to_string().contains("not tried again"), "{next}");
                assert!(next.hint().contains("pin-rejected"), "{}", next.hint());
            }
            assert_eq!(logins(sandbox), 1, "one try in all");
            let remembered = book.recall(&serial).unwrap().unwrap().hash;
            assert!(
                remembered.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"),
                "{remembered}"
            );
            start(PIN).0.unwrap();
            assert_eq!(logins(sandbox), 2, "another PIN is tried");
            assert_eq!(book.recall(&serial).unwrap(), None);
        },
    );
}

#[test]
fn c18_flags_of_the_token_forbid_the_try() {
    // FINAL_TRY, LOCKED, and both with COUNT_LOW.
    for flags in ["20000", "40000", "30000", "70000"] {
        let test = "c18_flags_of_the_token_forbid_the_try";
        isolated(test, &[COUNT_LOGINS, ("SHIM_FLAGS", flags)], |sandbox| {
            sandbox.token("T");
            let hsm = reached(config(sandbox.module("shim.c")));
            let mut token = present(&hsm, "T");
            let fault = hsm.login(&token, &secret(PIN)).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            // What the caller saw earlier does not count: the token is asked again.
            token.pin = ports::PinState::Fine;
            let fault = hsm.login(&token, &secret(PIN)).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            assert_eq!(logins(sandbox), 0);
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn c18_a_count_that_is_low_allows_one_try() {
    let environment = [COUNT_LOGINS, ("SHIM_FLAGS", "10000")];
    isolated(
        "c18_a_count_that_is_low_allows_one_try",
        &environment,
        |sandbox| {
            sandbox.token("T");
            let hsm = reached(config(sandbox.module("shim.c")));
            logged_in(&hsm, "T");
            assert_eq!(logins(sandbox), 1);
        },
    );
}

#[test]
fn c18_every_refusal_of_a_pin_is_denied_and_only_a_wrong_one_is_remembered() {
    // PIN_INVALID, PIN_LEN_RANGE, PIN_EXPIRED, PIN_LOCKED, USER_PIN_NOT_INITIALIZED.
    for code in ["18:A1", "18:A2", "18:A3", "18:A4", "18:102"] {
        let test = "c18_every_refusal_of_a_pin_is_denied_and_only_a_wrong_one_is_remembered";
        isolated(test, &[("SHIM_FAULT", code)], |sandbox| {
            sandbox.token("T");
            let book = PinBook::default();
            let module = config(sandbox.module("shim.c"));
            let hsm = Pkcs11Hsm::new(module, Box::new(book.clone()));
            hsm.reach(Duration::ZERO, &mut |_| {}).unwrap();
            let token = present(&hsm, "T");
            let fault = hsm.login(&token, &secret(PIN)).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            assert_eq!(book.recall(&token.serial).unwrap(), None);
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn c03_a_login_that_fails_for_another_reason_is_unavailable() {
    isolated(
        "c03_a_login_that_fails_for_another_reason_is_unavailable",
        &[("SHIM_FAULT", "18:30")],
        |sandbox| {
            sandbox.token("T");
            let hsm = reached(config(sandbox.module("shim.c")));
            let token = present(&hsm, "T");
            let fault = hsm.login(&token, &secret(PIN)).unwrap_err();
            unavailable(&fault, "C_Login: CKR_DEVICE_ERROR");
        },
    );
}
