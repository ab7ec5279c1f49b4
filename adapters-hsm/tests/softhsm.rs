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
use std::time::Duration;

use common::{
    SOFTHSM, SoftHsmRig, config, hsm, isolated, logged_in, present, query, run, secret, softhsm,
};
use domain::InstallationId;
use ports::contract::hsm::{PIN, SO_PIN, suite};
use ports::{Dek, FaultKind, Hsm, PinState, TokenSight, WrapFormat};

#[test]
fn softhsm_keeps_the_contract() {
    isolated("softhsm_keeps_the_contract", &[], |sandbox| {
        suite(&mut || Box::new(SoftHsmRig::new(sandbox, SOFTHSM)));
    });
}

#[test]
fn c16_softhsm_wraps_with_the_key_wrap() {
    isolated("c16_softhsm_wraps_with_the_key_wrap", &[], |sandbox| {
        sandbox.token("T");
        let hsm = softhsm();
        let token = logged_in(&hsm, "T");
        assert_eq!(token.wrap_format, Some(WrapFormat::AesKeyWrap));
        let kek = hsm.generate_kek().unwrap();
        let blob = hsm
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
            let hsm = softhsm();
            logged_in(&hsm, "T");
            let kek = hsm.generate_kek().unwrap();
            let installation = InstallationId::from_random([0xA5; 16]);
            hsm.mark(&installation).unwrap();
            drop(hsm);
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
        let hsm = softhsm();
        logged_in(&hsm, "T");
        let id = |byte| domain::KekId::new(&[byte]).unwrap();
        assert!(hsm.has_kek(&id(1)).unwrap());
        assert!(!hsm.has_kek(&id(3)).unwrap());
        let two = hsm.has_kek(&id(2)).unwrap_err();
        assert_eq!(two.kind(), FaultKind::DataCorrupt);
        assert!(two.to_string().contains("2 keys"), "{two}");
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
        let hsm = softhsm();
        let half = present(&hsm, "T");
        assert_eq!(half.pin, PinState::NotInitialised);
        let denied = hsm.login(&half, &secret(PIN)).unwrap_err();
        assert_eq!(denied.kind(), FaultKind::Denied);
        let wrong = hsm.initialise_token("T", &secret("00000000"), &secret(PIN));
        assert_eq!(wrong.unwrap_err().kind(), FaultKind::Denied);
        let whole = hsm
            .initialise_token("T", &secret(SO_PIN), &secret(PIN))
            .unwrap();
        assert_eq!(whole.serial, half.serial, "no second token is made");
        assert_eq!(whole.pin, PinState::Fine);
        hsm.login(&whole, &secret(PIN)).unwrap();
    });
}

#[test]
fn pins_that_the_token_refuses_leave_no_token_behind() {
    isolated(
        "pins_that_the_token_refuses_leave_no_token_behind",
        &[],
        |sandbox| {
            let hsm = softhsm();
            for (so_pin, pin) in [(SO_PIN, "123"), ("123", PIN), (SO_PIN, ""), ("", PIN)] {
                let fault = hsm
                    .initialise_token("T", &secret(so_pin), &secret(pin))
                    .unwrap_err();
                assert_eq!(fault.kind(), FaultKind::Denied, "{fault}");
            }
            for label in ["", "ends in a space ", &"x".repeat(33)] {
                let fault = hsm
                    .initialise_token(label, &secret(SO_PIN), &secret(PIN))
                    .unwrap_err();
                assert_eq!(fault.kind(), FaultKind::Config, "{fault}");
                let fault = hsm.find_token(&query(label)).unwrap_err();
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
        let hsm = softhsm();
        present(&hsm, "T");
        drop(hsm);
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
        let fault = softhsm().find_token(&query("T")).unwrap_err();
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
            let hsm = softhsm();
            let mut query = query("T");
            query.serial = Some("0123456789abcdef".into());
            match hsm.find_token(&query).unwrap() {
                TokenSight::Absent { others, free_slot } => {
                    assert_eq!(others, ["Other"]);
                    assert!(free_slot);
                }
                present @ TokenSight::Present(_) => panic!("{present:?}"),
            }
            // The value still works.
            logged_in(&hsm, "Other");
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
            let first = softhsm();
            logged_in(&first, "T");
            let second = hsm(config(SOFTHSM));
            let fault = second.reach(Duration::ZERO, &mut |_| {}).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Internal);
            drop(second);
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
            let stillborn = [
                4_u64.to_be_bytes().to_vec(),
                object(1, format!("{:32}", "T").as_bytes()),
                object(2, b"0123456789abcdef"),
                flags.concat(),
            ];
            for (path, _) in sandbox.tokens() {
                if path.ends_with("token.object") {
                    std::fs::File::create(path)
                        .and_then(|mut file| file.write_all(&stillborn.concat()))
                        .unwrap();
                }
            }
            let hsm = softhsm();
            match hsm.find_token(&query("T")).unwrap() {
                TokenSight::Absent { free_slot, .. } => assert!(free_slot),
                present @ TokenSight::Present(_) => panic!("{present:?}"),
            }
            hsm.initialise_token("T", &secret(SO_PIN), &secret(PIN))
                .unwrap();
            logged_in(&hsm, "T");
        },
    );
}
