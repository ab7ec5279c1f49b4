//! The PIN budget (C18) on a real token, every C_Login counted.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::fs;
use std::time::Duration;

use common::{
    Sandbox, isolated, ledger, log_in, logged_in, module, module_with, present, refused, secret,
    unavailable,
};
use ports::contract::token::{PIN, in_full};
use ports::fake::FakePinMemory;
use ports::{FaultKind, TokenError};

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
            let book = FakePinMemory::default();
            let config = sandbox.shimmed();
            let start = |pin: &str| {
                let token = present(&module_with(config.clone(), &book), "T");
                let serial = token.info().serial.clone();
                (token.log_in(&secret(pin)).map(drop), serial)
            };
            let (first, serial) = start("wrong");
            let first = first.unwrap_err();
            assert_eq!(first.kind(), FaultKind::Denied);
            assert!(in_full(&first).contains("CKR_PIN_INCORRECT"), "{first}");
            assert_eq!(logins(sandbox), 1);
            for _ in 0..3 {
                let (next, _) = start("wrong");
                let next = next.unwrap_err();
                assert!(matches!(next, TokenError::PinRejectedBefore(_)), "{next}");
            }
            assert_eq!(logins(sandbox), 1, "one try in all");
            let (unseen, kept) = ledger(&book, &serial);
            assert_eq!((unseen, kept.len()), (0, 1));
            assert!(
                kept[0].starts_with("$argon2id$v=19$m=65536,t=3,p=1$"),
                "{kept:?}"
            );
            start(PIN).0.unwrap();
            assert_eq!(logins(sandbox), 2, "another PIN is tried");
            assert_eq!(ledger(&book, &serial), (0, vec![]));
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
            let module = module(sandbox.shimmed());
            let fault = refused(&module, "T", PIN);
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
            logged_in(&module(sandbox.shimmed()), "T");
            assert_eq!(logins(sandbox), 1);
        },
    );
}

#[test]
fn c18_every_refusal_of_a_pin_is_denied_and_noted_for_what_it_is() {
    // PIN_INVALID, PIN_LEN_RANGE, PIN_EXPIRED, PIN_LOCKED, USER_PIN_NOT_INITIALIZED: how many tries
    // stay noted, and how many hashes.
    const CODES: [(&str, (u8, usize)); 5] = [
        ("18:A1", (0, 1)),
        ("18:A2", (0, 1)),
        ("18:A3", (1, 0)),
        ("18:A4", (0, 0)),
        ("18:102", (0, 0)),
    ];
    for (code, _) in CODES {
        let test = "c18_every_refusal_of_a_pin_is_denied_and_noted_for_what_it_is";
        isolated(test, &[("SHIM_FAULT", code)], |sandbox| {
            sandbox.token("T");
            let book = FakePinMemory::default();
            let token = present(&module_with(sandbox.shimmed(), &book), "T");
            let serial = token.info().serial.clone();
            let fault = token.log_in(&secret(PIN)).err().unwrap();
            assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            let (unseen, hashes) = ledger(&book, &serial);
            let code = std::env::var("SHIM_FAULT").unwrap();
            let noted = CODES.iter().find(|(told, _)| *told == code).unwrap().1;
            assert_eq!((unseen, hashes.len()), noted, "{code}");
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
            let fault = refused(&module(sandbox.shimmed()), "T", PIN);
            unavailable(&fault, "C_Login: CKR_DEVICE_ERROR");
        },
    );
}

#[test]
fn c18_nobody_logs_in_where_the_try_cannot_be_noted() {
    let test = "c18_nobody_logs_in_where_the_try_cannot_be_noted";
    isolated(test, &[COUNT_LOGINS], |sandbox| {
        sandbox.token("T");
        for operation in ["open", "note_try"] {
            let book = FakePinMemory::default();
            book.failures.set(operation);
            let module = module_with(sandbox.shimmed(), &book);
            let fault = refused(&module, "T", PIN);
            assert_eq!(fault.kind(), FaultKind::Io, "{fault}");
            assert!(fault.to_string().contains("is not tried"), "{fault}");
            assert_eq!(logins(sandbox), 0);
            book.failures.clear(operation);
            log_in(&module, "T", PIN).unwrap();
            fs::remove_file(sandbox.path("logins")).unwrap();
        }
    });
}

#[test]
fn c18_a_rejection_that_cannot_be_kept_allows_one_more_try_and_no_third() {
    let test = "c18_a_rejection_that_cannot_be_kept_allows_one_more_try_and_no_third";
    isolated(test, &[COUNT_LOGINS], |sandbox| {
        sandbox.token("T");
        let book = FakePinMemory::default();
        book.failures.set("end_try");
        let config = sandbox.shimmed();
        for (start, word) in ["not be noted", "not be noted", "nobody saw", "nobody saw"]
            .iter()
            .enumerate()
        {
            let module = module_with(config.clone(), &book);
            let fault = refused(&module, "T", "wrong");
            assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            assert!(fault.to_string().contains(word), "{start}: {fault}");
        }
        assert_eq!(logins(sandbox), 2);
    });
}

#[test]
fn c18_what_fails_before_the_login_is_no_try() {
    let test = "c18_what_fails_before_the_login_is_no_try";
    // C_GetTokenInfo never comes back.
    isolated(
        test,
        &[("SHIM_FAULT", "6:hang"), ("SHIM_ONCE", "{dir}/on")],
        |sandbox| {
            sandbox.token("T");
            let once = sandbox.file("on", b"");
            let book = FakePinMemory::default();
            let mut config = sandbox.shimmed();
            config.call_deadline = Duration::from_secs(5);
            let token = present(&module_with(config, &book), "T");
            let serial = token.info().serial.clone();
            fs::remove_file(once).unwrap();
            let fault = token.log_in(&secret(PIN)).err().unwrap();
            unavailable(&fault, "looking at the token again");
            assert_eq!(ledger(&book, &serial), (0, vec![]));
        },
    );
}
