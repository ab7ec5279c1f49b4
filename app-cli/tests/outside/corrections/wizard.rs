//! C1, C2, C8, C9: the wizard's state.

use domain::SetupWizardState;

use super::lost;
use crate::sandbox::Sandbox;

#[test]
fn c01_the_backup_password_is_asked_for_from_every_state() {
    let sandbox = lost(Sandbox::softhsm());
    for state in SetupWizardState::ALL {
        sandbox.put_wizard(&[state.name()]);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(
            run.restore_scenario(),
            "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
        );
        assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD", "{state}");
    }
    sandbox.put_wizard(&[]);
    sandbox.run(&["startup"]).expect(0);
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
}

#[test]
fn c01_a_completed_node_without_its_dek_waits_for_the_password() {
    let sandbox = lost(Sandbox::softhsm_without_password());
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
    );
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
}

#[test]
fn c02_a_node_that_waits_keeps_waiting_and_is_ready_when_the_token_is_back() {
    let sandbox = Sandbox::softhsm();
    let real = sandbox.run(&["startup"]).expect(0).fingerprint();
    let sandbox = lost(sandbox);
    let waiting = sandbox.run(&["startup"]).expect(0).fingerprint();
    assert_ne!(waiting, real);
    for _ in 0..3 {
        sandbox.lose_runtime();
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "recovery_required");
        assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
        assert_eq!(run.fingerprint(), waiting, "clients see one fingerprint");
    }
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), real);
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
}

#[test]
fn c02_the_auto_restore_states_count_as_completed() {
    let softhsm = Sandbox::softhsm();
    let software = Sandbox::software();
    for state in [
        "WIZARD_AUTO_RESTORE_PASSWORD",
        "WIZARD_AUTO_RESTORE_HSM",
        "WIZARD_SETUP_HSM_AUTORESTORE",
    ] {
        for sandbox in [&softhsm, &software] {
            sandbox.put_wizard(&[state]);
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.outcome(), "ready", "{state}");
            assert_eq!(run.text("/context/wizard_state"), "COMPLETED");
            assert_eq!(run.text("/context/wizard_state_raw"), state);
            assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
        }
    }
}

#[test]
fn c08_the_state_changes_by_one_rename() {
    let sandbox = lost(Sandbox::softhsm());
    let wanted = "trace=open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,\
                  linkat,symlink,symlinkat";
    let (run, calls) = sandbox.run_traced(&["-y", "-e", wanted], &["startup"]);
    run.expect(0);
    let directory = sandbox.wizard_dir().display().to_string();
    let changes: Vec<_> = calls
        .lines()
        .filter(|call| call.contains(&directory))
        .filter(|call| !call.contains(" open") || call.contains("O_CREAT"))
        .map(str::to_owned)
        .collect();
    let [rename] = changes.as_slice() else {
        panic!("not one change: {changes:#?}");
    };
    assert!(rename.contains("rename"), "{rename}");
    let (from, to) = rename.split_once("\", ").unwrap();
    assert!(from.ends_with("WIZARD_COMPLETED"), "{rename}");
    assert!(to.contains("WIZARD_AUTO_RESTORE_PASSWORD\""), "{rename}");
}

#[test]
fn c08_a_state_that_cannot_be_right_is_named_and_left() {
    let sandbox = Sandbox::software();
    for (states, named) in [
        (
            &["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"][..],
            "WIZARD_SETUP_MODE",
        ),
        (&["WIZARD_COMPLETE"], "WIZARD_COMPLETE"),
        (&["WIZARD_COMPLETED", "other"], "other"),
    ] {
        sandbox.put_wizard(states);
        let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn c09_a_new_container_with_an_old_database_is_ready() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        for image in [&[][..], &["WIZARD_SETUP_CRYPTO_STORAGE"]] {
            sandbox.put_wizard(image);
            sandbox.lose_runtime();
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.outcome(), "ready");
            assert_eq!(run.text("/context/wizard_state"), "COMPLETED");
            assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
            assert!(run.stderr.contains("is repaired"), "{}", run.stderr);
        }
    }
}

#[test]
fn c09_a_setup_that_was_begun_again_is_not_completed() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_SETUP_MODE"]);
    for _ in 0..2 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "setup_required");
        assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
    }
}

#[test]
fn c09_a_reset_is_remembered_and_deletes_nothing() {
    let sandbox = Sandbox::softhsm();
    let credentials = super::rows(&sandbox, "credential");
    sandbox.run(&["setup", "--reset"]).expect(0);
    for states in [&["WIZARD_SETUP_CRYPTO_STORAGE"][..], &[]] {
        sandbox.put_wizard(states);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "setup_required");
        assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
    }
    assert_eq!(super::rows(&sandbox, "credential"), credentials);
    assert_eq!(super::rows(&sandbox, "pkcs11_token"), 1);
}

#[test]
fn c09_an_empty_directory_without_the_mark_is_incomplete() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    sandbox.put_wizard(&[]);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.restore_scenario(), "RESTORE_SOFTWARE_WIZARD_INCOMPLETE");
    assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
}
