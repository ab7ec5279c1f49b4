//! Modules, daemons and tokens that fail: each failure is named, and none looks like a loss (C3).

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use adapters_hsm::{HsmConfig, any_module_hung};
use common::token::Kind;
use common::{
    SOFTHSM, config, initialise, isolated, logged_in, module, not_found, present, refused, secret,
    unavailable, with_daemon,
};
use ports::contract::token::{PIN, SO_PIN};
use ports::{FaultKind, Patience, TokenError, TokenModule as _};

/// Tries once more than a permanent failure allows, and counts the waits.
fn reach(config: HsmConfig, patience: Duration) -> (TokenError, usize) {
    let mut waits = 0;
    let reached = module(config).reach(&mut Patience::new(patience, &mut |_| waits += 1));
    (reached.err().unwrap(), waits)
}

#[test]
fn what_is_no_module_is_unavailable_at_once() {
    isolated("what_is_no_module_is_unavailable_at_once", &[], |sandbox| {
        let text = sandbox.file("text.so", b"banana\n");
        let zlib = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/aarch64-linux-gnu/libc.so.6",
        ]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap();
        for (path, word) in [
            (sandbox.path("missing.so"), "does not exist"),
            (sandbox.path("tokens"), "no file"),
            (text, "cannot be loaded"),
            (zlib.into(), "no PKCS#11 module"),
        ] {
            let (fault, waits) = reach(config(path.clone()), Duration::from_secs(60));
            unavailable(&fault, word);
            unavailable(&fault, path.as_str());
            assert_eq!(waits, 0, "no further try can work: {fault}");
        }
    });
}

#[test]
fn a_daemon_that_refuses_is_tried_until_patience_is_over() {
    isolated(
        "a_daemon_that_refuses_is_tried_until_patience_is_over",
        &[],
        |sandbox| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let closed = format!("tcp://127.0.0.1:{}", listener.local_addr().unwrap().port());
            drop(listener);
            let no_socket = format!("unix:{}", sandbox.path("no-socket"));
            for daemon in [
                closed.as_str(),
                no_socket.as_str(),
                "tcp://no-such-host.invalid",
            ] {
                let config = with_daemon(SOFTHSM, daemon);
                let (fault, waits) = reach(config.clone(), Duration::ZERO);
                unavailable(&fault, daemon);
                assert_eq!(waits, 0, "one try without patience");
                if daemon != "tcp://no-such-host.invalid" {
                    let (fault, waits) = reach(config, Duration::from_secs(1));
                    unavailable(&fault, daemon);
                    assert!(waits >= 1);
                }
            }
        },
    );
}

#[test]
fn a_daemon_that_comes_up_is_reached() {
    isolated("a_daemon_that_comes_up_is_reached", &[], |sandbox| {
        sandbox.require_module();
        let socket = sandbox.path("socket");
        let module = module(with_daemon(SOFTHSM, &format!("unix:{socket}")));
        let mut listener = None;
        let reached = module
            .reach(&mut Patience::new(Duration::from_secs(60), &mut |fault| {
                unavailable(fault, socket.as_str());
                listener = Some(UnixListener::bind(&socket).unwrap());
            }))
            .unwrap();
        let library = reached.description();
        assert!(library.contains("SoftHSM"), "{library}");
        assert!(library.contains(socket.as_str()), "{library}");
    });
}

#[test]
fn a_module_that_hangs_at_any_call_is_unavailable() {
    // C_GetFunctionList, C_Initialize, C_GetInfo, C_GetSlotList.
    let hangs = [3, 0, 2, 4].map(|function| format!("{function}:hang"));
    for (name, fault) in ["list", "initialize", "info", "slots"].iter().zip(hangs) {
        let test = "a_module_that_hangs_at_any_call_is_unavailable";
        isolated(test, &[("SHIM_FAULT", &fault)], |sandbox| {
            let mut config = config(sandbox.shim());
            config.call_deadline = Duration::from_millis(300);
            let (fault, waits) = reach(config.clone(), Duration::from_secs(60));
            unavailable(&fault, "accepts and never answers");
            assert_eq!(waits, 0, "its thread is lost");
            assert!(fault.is_unanswered() && any_module_hung());
            let (fault, _) = reach(config, Duration::ZERO);
            unavailable(&fault, "accepts and never answers");
            unavailable(&fault, "an earlier call");
            println!("{name}");
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn a_module_that_hangs_in_the_login_is_unavailable() {
    isolated(
        "a_module_that_hangs_in_the_login_is_unavailable",
        &[("SHIM_FAULT", "18:hang")],
        |sandbox| {
            sandbox.token("T");
            let mut config = config(sandbox.shim());
            config.call_deadline = Duration::from_secs(5);
            let module = module(config);
            let fault = refused(&module, "T", PIN);
            unavailable(&fault, "the login");
            assert!(fault.is_unanswered() && any_module_hung());
            unavailable(&not_found(&module, "T"), "never came back");
        },
    );
}

#[test]
fn a_module_that_hangs_when_it_is_closed_is_left_alone() {
    isolated(
        "a_module_that_hangs_when_it_is_closed_is_left_alone",
        &[("SHIM_FAULT", "1:hang")],
        |sandbox| {
            let mut config = config(sandbox.shim());
            config.call_deadline = Duration::from_secs(5);
            let module = module(config);
            drop(common::reach(&module).unwrap());
            assert!(!any_module_hung());
            drop(module);
            assert!(any_module_hung());
        },
    );
}

#[test]
fn c03_a_device_error_is_tried_again_and_then_unavailable() {
    isolated(
        "c03_a_device_error_is_tried_again_and_then_unavailable",
        &[("SHIM_FAULT", "0:30")],
        |sandbox| {
            let (fault, waits) = reach(config(sandbox.shim()), Duration::from_secs(3));
            unavailable(&fault, "C_Initialize: CKR_DEVICE_ERROR");
            assert!(waits >= 1);
        },
    );
}

#[test]
fn a_device_error_that_goes_away_is_survived() {
    isolated(
        "a_device_error_that_goes_away_is_survived",
        &[("SHIM_FAULT", "0:30"), ("SHIM_ONCE", "{dir}/once")],
        |sandbox| {
            sandbox.token("T");
            let module = module(config(sandbox.shim()));
            let mut waits = 0;
            drop(
                module
                    .reach(&mut Patience::new(Duration::from_secs(60), &mut |_| {
                        waits += 1
                    }))
                    .unwrap(),
            );
            assert_eq!(waits, 1);
            logged_in(&module, "T");
        },
    );
}

#[test]
fn c03_no_slots_are_unreachable_and_never_no_token() {
    isolated(
        "c03_no_slots_are_unreachable_and_never_no_token",
        &[("SHIM_NOSLOTS", "1")],
        |sandbox| {
            let (fault, waits) = reach(config(sandbox.shim()), Duration::from_secs(3));
            unavailable(&fault, "no slots");
            assert!(waits >= 1);
        },
    );
}

#[test]
fn c03_a_slot_that_cannot_be_read_is_no_absence() {
    // C_GetSlotInfo and C_GetTokenInfo: device error, token not present, token not recognised.
    for fault in ["5:30", "6:30", "6:E0", "6:E1"] {
        let test = "c03_a_slot_that_cannot_be_read_is_no_absence";
        isolated(test, &[("SHIM_FAULT", fault)], |sandbox| {
            sandbox.token("T");
            let module = module(config(sandbox.shim()));
            for label in ["T", "Other"] {
                let fault = not_found(&module, label);
                unavailable(&fault, "cannot be read");
                unavailable(&fault, "CKR_");
            }
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn c03_no_failed_call_says_that_the_kek_is_not_there() {
    // C_FindObjectsInit, C_FindObjects; C_GetSessionInfo says that the session is gone.
    for fault in ["26:30", "27:32", "26:101", "15:B3"] {
        let test = "c03_no_failed_call_says_that_the_kek_is_not_there";
        isolated(
            test,
            &[("SHIM_FAULT", fault), ("SHIM_ONCE", "{dir}/on")],
            |sandbox| {
                sandbox.token("T");
                // The faults begin after the login.
                let once = sandbox.file("on", b"");
                let session = logged_in(&module(config(sandbox.shim())), "T");
                fs::remove_file(once).unwrap();
                let kek = domain::KekId::new(&[1]).unwrap();
                let fault = session.has_kek(&kek).unwrap_err();
                unavailable(&fault, "CKR_");
            },
        );
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn an_interrupted_initialisation_is_finished_by_the_next() {
    // C_InitPIN fails once.
    let environment = [("SHIM_FAULT", "10:30"), ("SHIM_ONCE", "{dir}/once")];
    let test = "an_interrupted_initialisation_is_finished_by_the_next";
    isolated(test, &environment, |sandbox| {
        sandbox.require_module();
        let path = sandbox.shim();
        let first = module(config(path.clone()));
        let fault = initialise(&first, "T", SO_PIN, PIN).err().unwrap();
        unavailable(&fault, "C_InitPIN: CKR_DEVICE_ERROR");
        let half = present(&first, "T").info().clone();
        drop(first);
        let whole = initialise(&module(config(path)), "T", SO_PIN, PIN).unwrap();
        assert_eq!(whole.info().serial, half.serial);
        whole.log_in(&secret(PIN)).unwrap();
    });
}

#[test]
fn a_module_that_ends_the_process_is_unavailable_and_named() {
    // C_Initialize, C_Login, C_FindObjects.
    for (fault, word) in [
        ("0:exit", "exit was called in it"),
        ("18:exit", "exit was called in it"),
        ("27:exit", "exit was called in it"),
        ("18:abort", "SIGABRT"),
        ("18:crash", "SIGSEGV"),
    ] {
        let test = "a_module_that_ends_the_process_is_unavailable_and_named";
        let environment = [
            ("SHIM_FAULT", fault),
            ("SHIM_ONCE", "{dir}/on"),
            ("EXPECTED", word),
        ];
        isolated(test, &environment, |sandbox| {
            sandbox.token("T");
            let path = sandbox.shim();
            let once = sandbox.file("on", b"");
            let module = module(config(path.clone()));
            let fault = if std::env::var("SHIM_FAULT").unwrap().starts_with("0:") {
                fs::remove_file(once).unwrap();
                common::reach(&module).err().unwrap()
            } else {
                let token = present(&module, "T");
                fs::remove_file(once).unwrap();
                let kek = domain::KekId::new(&[1]).unwrap();
                token
                    .log_in(&secret(PIN))
                    .and_then(|session| session.has_kek(&kek))
                    .unwrap_err()
            };
            let word = std::env::var("EXPECTED").unwrap();
            unavailable(&fault, &word);
            unavailable(&fault, path.as_str());
            unavailable(&fault, "may be damaged");
            assert!(fault.is_unanswered() && any_module_hung());
            // It is not called again, and nobody waits for it: an ordinary end of the process is
            // still one.
            unavailable(&not_found(&module, "T"), &word);
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn a_string_that_the_module_does_not_take_is_a_config_fault() {
    let test = "a_string_that_the_module_does_not_take_is_a_config_fault";
    isolated(test, &[], |sandbox| {
        sandbox.token("T");
        for text in ["configdir='sql:/nonexistent'", "with a NUL \0 in it"] {
            let mut config = config(SOFTHSM);
            config.module_init = Some(text.to_owned());
            let reached = module(config).reach(&mut Patience::none());
            let error = reached.err().unwrap();
            assert!(matches!(error, TokenError::InitString { .. }), "{error}");
            assert_eq!(error.kind(), FaultKind::Config);
        }
    });
}

/// NSS would crash at the one, and make an empty token of the other.
#[test]
fn a_string_of_nss_is_looked_at_before_the_module_gets_it() {
    let test = "a_string_of_nss_is_looked_at_before_the_module_gets_it";
    isolated(test, &[], |sandbox| {
        let empty = sandbox.path("empty");
        fs::create_dir(&empty).unwrap();
        let reached = |text: &str| {
            let mut config = config(Kind::Softokn.module().to_str().unwrap());
            config.module_init = Some(text.to_owned());
            module(config).reach(&mut Patience::none()).err().unwrap()
        };
        for text in ["configdir=", "xconfigdir='sql:/nonexistent'", "nonsense"] {
            let error = reached(text);
            assert!(matches!(error, TokenError::InitString { .. }), "{error}");
        }
        unavailable(
            &reached(&format!("configdir='sql:{empty}' flags=")),
            empty.as_str(),
        );
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0, "nothing was made");
    });
}
