//! The adapter on a real SoftHSM, in process.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::io::Write as _;
use std::process::Command;

use common::{
    SOFTHSM, initialise, isolated, logged_in, not_found, present, query, reach, refused, run,
    secret, softhsm,
};
use domain::InstallationId;
use ports::contract::token::{PIN, SO_PIN};
use ports::{Dek, FaultKind, Found, Patience, PinState, TokenError, WrapFormat};

#[test]
fn c16_softhsm_wraps_with_the_key_wrap() {
    isolated("c16_softhsm_wraps_with_the_key_wrap", &[], |sandbox| {
        sandbox.token("T");
        let session = logged_in(&softhsm(), "T");
        assert_eq!(session.info().wrap_format, Some(WrapFormat::AesKeyWrap));
        let kek = session.generate_kek().unwrap();
        let blob = session
            .wrap_dek(&kek, &Dek::from_bytes(&[1; 32]).unwrap())
            .unwrap();
        assert_eq!(blob.0.len(), 4 + 3 + 16 + 40);
        assert_eq!(blob.0[5], 1);
    });
}

#[test]
fn other_tools_see_a_protected_kek_and_the_marker() {
    isolated(
        "other_tools_see_a_protected_kek_and_the_marker",
        &[],
        |sandbox| {
            sandbox.token("T");
            let mut session = logged_in(&softhsm(), "T");
            let kek = session.generate_kek().unwrap();
            let installation = InstallationId::from_random([0xA5; 16]);
            session.mark(&installation).unwrap();
            drop(session);
            let tool = |arguments: &[&str]| {
                run(Command::new("pkcs11-tool")
                    .args(["--module", SOFTHSM, "--token-label", "T"])
                    .args(arguments))
            };
            let keys = tool(&["--login", "--pin", PIN, "--list-objects"]);
            assert!(keys.contains("trustpoint-kek"), "{keys}");
            assert!(keys.contains("AES length 32"), "{keys}");
            assert!(keys.contains(&kek.to_string()), "{keys}");
            let access = "sensitive, always sensitive, never extractable, local";
            assert!(keys.contains(access), "{keys}");
            let public = tool(&["--list-objects"]);
            assert!(public.contains("trustpoint-installation"), "{public}");
            assert!(public.contains("trustpointctl"), "{public}");
            assert!(!public.contains("trustpoint-kek"), "{public}");
        },
    );
}

#[test]
fn c03_a_key_under_our_label_is_not_our_kek() {
    isolated("c03_a_key_under_our_label_is_not_our_kek", &[], |sandbox| {
        sandbox.token("T");
        let tool = |id: &str| {
            run(Command::new("pkcs11-tool").args([
                "--module",
                SOFTHSM,
                "--token-label",
                "T",
                "--login",
                "--pin",
                PIN,
                "--keygen",
                "--key-type",
                "AES:32",
                "--label",
                "trustpoint-kek",
                "--id",
                id,
            ]));
        };
        tool("01");
        tool("02");
        tool("02");
        let session = logged_in(&softhsm(), "T");
        let id = |byte| domain::KekId::new(&[byte]).unwrap();
        assert!(session.has_kek(&id(1)).unwrap());
        assert!(!session.has_kek(&id(3)).unwrap());
        let two = session.has_kek(&id(2)).unwrap_err();
        assert!(
            matches!(two, TokenError::SeveralKeks { count: 2, .. }),
            "{two}"
        );
    });
}

#[test]
fn a_half_initialised_token_is_finished() {
    isolated("a_half_initialised_token_is_finished", &[], |sandbox| {
        sandbox.token("Other");
        let init = ["--init-token", "--slot-index", "1", "--so-pin", SO_PIN];
        run(Command::new("pkcs11-tool")
            .args(["--module", SOFTHSM, "--label", "T"])
            .args(init));
        let module = softhsm();
        let half = present(&module, "T").info().clone();
        assert_eq!(half.pin, PinState::NotInitialised);
        assert_eq!(refused(&module, "T", PIN).kind(), FaultKind::Denied);
        let wrong = initialise(&module, "T", "00000000", PIN).err().unwrap();
        assert_eq!(wrong.kind(), FaultKind::Denied);
        let reached = present(&module, "T").into_module();
        let whole = reached
            .initialise("T", &secret(SO_PIN), &secret(PIN))
            .unwrap();
        assert_eq!(whole.info().serial, half.serial, "no second token is made");
        assert_eq!(whole.info().pin, PinState::Fine);
        whole.log_in(&secret(PIN)).unwrap();
    });
}

#[test]
fn pins_that_the_token_refuses_leave_no_token_behind() {
    isolated(
        "pins_that_the_token_refuses_leave_no_token_behind",
        &[],
        |sandbox| {
            let module = softhsm();
            for (so_pin, pin) in [(SO_PIN, "123"), ("123", PIN), (SO_PIN, ""), ("", PIN)] {
                let fault = initialise(&module, "T", so_pin, pin).err().unwrap();
                assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            }
            for label in ["", "ends in a space ", &"x".repeat(33)] {
                let fault = initialise(&module, label, SO_PIN, PIN).err().unwrap();
                assert_eq!(fault.kind(), FaultKind::Config, "{fault}");
                let fault = not_found(&module, label);
                assert_eq!(fault.kind(), FaultKind::Config, "{fault}");
            }
            assert_eq!(sandbox.tokens(), []);
        },
    );
}

#[test]
fn looking_changes_no_file_of_the_token() {
    isolated("looking_changes_no_file_of_the_token", &[], |sandbox| {
        sandbox.token("T");
        let before = sandbox.tokens();
        present(&softhsm(), "T");
        assert_eq!(sandbox.tokens(), before);
    });
}

#[test]
fn a_damaged_marker_is_corrupt() {
    isolated("a_damaged_marker_is_corrupt", &[], |sandbox| {
        sandbox.token("T");
        let value = sandbox.file("value", b"not an installation id");
        let write = ["--write-object", value.as_str(), "--type", "data"];
        run(Command::new("pkcs11-tool")
            .args(["--module", SOFTHSM, "--token-label", "T", "--login"])
            .args(["--pin", PIN, "--label", "trustpoint-installation"])
            .args(["--application-label", "trustpointctl"])
            .args(write));
        let fault = not_found(&softhsm(), "T");
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
        assert!(fault.to_string().contains("marker"), "{fault}");
    });
}

#[test]
fn c03_a_token_that_is_gone_after_a_known_serial_is_absent_after_several_looks() {
    isolated(
        "c03_a_token_that_is_gone_after_a_known_serial_is_absent_after_several_looks",
        &[],
        |sandbox| {
            sandbox.token("Other");
            let mut missing = query("T");
            missing.serial = Some("0123456789abcdef".into());
            let found = reach(&softhsm())
                .unwrap()
                .find(&missing, &mut Patience::none())
                .unwrap();
            let Found::Absent {
                module,
                others,
                free_slot,
            } = found
            else {
                panic!("{missing:?} is there");
            };
            let labels: Vec<_> = others.iter().map(|other| &other.label).collect();
            assert_eq!(labels, ["Other"]);
            assert!(free_slot);
            // The module that comes back still works.
            let found = module.find(&query("Other"), &mut Patience::none()).unwrap();
            assert!(matches!(found, Found::Present(_)));
        },
    );
}

#[test]
fn a_second_value_in_the_process_does_not_break_the_first() {
    isolated(
        "a_second_value_in_the_process_does_not_break_the_first",
        &[],
        |sandbox| {
            sandbox.token("T");
            let first = logged_in(&softhsm(), "T");
            let fault = reach(&softhsm()).err().unwrap();
            assert_eq!(fault.kind(), FaultKind::Internal);
            first.generate_kek().unwrap();
        },
    );
}

#[test]
fn a_token_that_softhsm_was_killed_at_making_is_no_token() {
    isolated(
        "a_token_that_softhsm_was_killed_at_making_is_no_token",
        &[],
        |sandbox| {
            sandbox.token("T");
            // SoftHSM makes a token with its SO PIN locked, and sets the PIN by the next write.
            let object = |kind: u64, value: &[u8]| {
                let attribute = [0x8000_5348 + kind, 3, value.len() as u64];
                [&attribute.map(u64::to_be_bytes).concat(), value].concat()
            };
            let flags = [0x8000_534B_u64, 2, 0x00C0_0425].map(u64::to_be_bytes);
            let without_pins = [
                4_u64.to_be_bytes().to_vec(),
                object(1, format!("{:32}", "T").as_bytes()),
                object(2, b"0123456789abcdef"),
                flags.concat(),
            ];
            for (path, _) in sandbox.tokens() {
                if path.ends_with("token.object") {
                    std::fs::File::create(path)
                        .and_then(|mut file| file.write_all(&without_pins.concat()))
                        .unwrap();
                }
            }
            let found = reach(&softhsm())
                .unwrap()
                .find(&query("T"), &mut Patience::none())
                .unwrap();
            let Found::Absent {
                module,
                free_slot: true,
                ..
            } = found
            else {
                panic!("it counts as a token, or takes the free slot");
            };
            let made = module.initialise("T", &secret(SO_PIN), &secret(PIN));
            made.unwrap().log_in(&secret(PIN)).unwrap();
        },
    );
}
