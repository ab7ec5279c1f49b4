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
            let warnings = run.warnings();
            assert!(warnings.contains("is repaired"), "{warnings}");
        }
    }
}

/// A stray file opens no setup page on a live node: not its start, and not `setup` itself.
#[test]
fn c09_the_mark_wins_whatever_the_directory_holds() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        let marked = "SELECT setup_completed_at FROM installation";
        let mark = sandbox.sql(marked);
        let setup = ["setup", "--storage", "software"];
        for state in SetupWizardState::ALL {
            sandbox.put_wizard(&[state.name()]);
            let shown = sandbox.run(&["status"]).expect(0);
            assert_eq!(shown.outcome(), "ready", "{state}");
            sandbox.run(&setup).expect_error(78, "config");
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.outcome(), "ready", "{state}");
            assert_eq!(run.fingerprint(), before);
            assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
            assert_eq!(sandbox.sql(marked), mark, "{state}");
            for warnings in [shown.warnings(), run.warnings()] {
                let warns = warnings.contains("remembers that setup was completed");
                assert_eq!(warns, !state.counts_as_completed(), "{state}: {warnings}");
            }
        }
        assert!(!sandbox.run(&["startup"]).warnings().contains("remembers"));
    }
}

#[test]
fn c08_c09_a_file_that_is_no_state_is_renamed_where_the_mark_is_set() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_OF_A_LATER_VERSION"]);
    let setup = ["setup", "--storage", "software"];
    sandbox.run(&setup).expect_error(65, "data_corrupt");
    for command in ["status", "startup"] {
        let run = sandbox.run(&[command]).expect(0);
        assert_eq!(run.outcome(), "ready");
        let said = run.warnings();
        assert!(said.contains("WIZARD_OF_A_LATER_VERSION, which"), "{said}");
    }
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    // Without the mark nobody knows what the node is.
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.put_wizard(&["WIZARD_OF_A_LATER_VERSION"]);
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("WIZARD_OF_A_LATER_VERSION"), "{said}");
}

/// Nor does it do so where the node is not ready.
#[test]
fn c09_a_stray_file_does_not_end_the_wait_for_the_password() {
    let sandbox = lost(Sandbox::softhsm());
    sandbox.put_wizard(&["WIZARD_DEMO_DATA"]);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert!(
        run.warnings().contains("WIZARD_DEMO_DATA"),
        "{}",
        run.warnings()
    );
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
}

/// ADR 4: wherever setup is completed, the file moves before the database is marked.
#[test]
fn the_file_moves_before_the_mark_is_set() {
    let by_start = Sandbox::software();
    by_start.sql("UPDATE installation SET setup_completed_at = NULL");
    by_start.put_wizard(&["WIZARD_AUTO_RESTORE_PASSWORD"]);
    let by_setup = Sandbox::new();
    by_setup.run(&["startup"]).expect(0);
    let setup = ["setup", "--storage", "software"];
    for (sandbox, command) in [(by_start, &["startup"][..]), (by_setup, &setup)] {
        let wanted = "trace=openat,pwrite64,rename,renameat,renameat2";
        let (run, calls) = sandbox.run_traced(&["-y", "-e", wanted], command);
        run.expect(0);
        let calls: Vec<_> = calls.lines().collect();
        let moved = calls
            .iter()
            .position(|call| call.contains("rename") && call.contains("\"WIZARD_COMPLETED\""))
            .unwrap();
        let writes = |call: &&str| call.contains("pwrite64") && call.contains("trustpoint.db>");
        let marks = |calls: &[&str]| calls.iter().filter(|call| writes(call)).count();
        // The start writes the mark and the record of it after the move, and nothing before.
        if command == ["startup"] {
            assert_eq!(marks(&calls[..moved]), 0, "{calls:#?}");
        }
        assert!(marks(&calls[moved..]) > 0, "{calls:#?}");
        let count = sandbox.sql("SELECT count(setup_completed_at) FROM installation");
        assert_eq!(count.trim(), "1");
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
