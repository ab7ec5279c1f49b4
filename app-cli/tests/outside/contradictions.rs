//! One damaged value does not lead to a wrong scenario: what contradicts itself is 65 with both
//! sides named, and nothing is changed.

use crate::sandbox::{PASSWORD, Run, Sandbox};

fn kek(sandbox: &Sandbox) -> String {
    let id = sandbox.sql("SELECT lower(hex(key_id)) FROM pkcs11_key WHERE state = 'current'");
    id.trim().to_owned()
}

/// One bit of the KEK's id in the database.
fn flip_kek_id(sandbox: &Sandbox) {
    let id = kek(sandbox);
    let byte = u8::from_str_radix(&id[..2], 16).unwrap() ^ 1;
    sandbox.sql(&format!(
        "UPDATE pkcs11_key SET key_id = x'{byte:02x}{}'",
        &id[2..]
    ));
}

fn recover(sandbox: &Sandbox) -> Run {
    let file = sandbox.password_file(PASSWORD);
    sandbox.run(&["recover", "--backup-password-file", file.to_str().unwrap()])
}

/// It is 65 for a start and for whoever only looks.
#[track_caller]
fn is_refused(sandbox: &Sandbox) -> String {
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    for command in [&["status"][..], &["startup", "--dry-run"]] {
        sandbox.fails_unchanged(command, 65, "data_corrupt");
    }
    assert_eq!(sandbox.run(&["doctor"]).code, 65);
    said
}

#[test]
fn c03_a_damaged_kek_id_is_no_lost_kek() {
    for sandbox in [Sandbox::softhsm(), Sandbox::softhsm_without_password()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        let right = kek(&sandbox);
        flip_kek_id(&sandbox);
        for is_cached in [true, false] {
            if !is_cached {
                sandbox.new_container();
            }
            let said = is_refused(&sandbox);
            for part in [right.as_str(), &kek(&sandbox), "keys rotate-kek"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        // The blob names the right one, and it is on the token.
        sandbox.run(&["keys", "rotate-kek"]).expect(0);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(
            (run.outcome().as_str(), run.fingerprint()),
            ("ready", before)
        );
        let shown = sandbox.run(&["keys", "show"]).expect(0);
        assert_eq!(shown.text("/keys/kek/old/0"), right);
    }
}

#[test]
fn c03_a_damaged_kek_id_is_mended_by_the_backup_password_too() {
    let sandbox = Sandbox::softhsm();
    flip_kek_id(&sandbox);
    sandbox.new_container();
    is_refused(&sandbox);
    recover(&sandbox).expect(0);
    sandbox.new_container();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn a_kek_that_the_database_does_not_name() {
    let sandbox = Sandbox::softhsm();
    let right = kek(&sandbox);
    sandbox.sql("DELETE FROM pkcs11_key");
    sandbox.new_container();
    let said = is_refused(&sandbox);
    assert!(said.contains(&right), "{said}");
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn c19_a_completed_node_without_a_token_row_is_not_one_without_a_password() {
    for is_cached in [true, false] {
        let sandbox = Sandbox::softhsm();
        sandbox.sql("DELETE FROM pkcs11_key; DELETE FROM pkcs11_token; DELETE FROM sealing");
        if !is_cached {
            sandbox.new_container();
        }
        let said = is_refused(&sandbox);
        for part in ["softhsm", "pkcs11_token"] {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[test]
fn a_token_row_that_does_not_say_which_dek_is_in_use() {
    for is_cached in [true, false] {
        let sandbox = Sandbox::softhsm();
        sandbox.sql("UPDATE sealing SET dek_check_value = NULL");
        if !is_cached {
            sandbox.new_container();
        }
        let said = is_refused(&sandbox);
        assert!(said.contains("dek_check_value"), "{said}");
    }
}

#[test]
fn a_check_value_of_another_dek_names_both() {
    let sandbox = Sandbox::softhsm();
    let column = "SELECT lower(hex(dek_check_value)) FROM sealing";
    let right = sandbox.sql(column);
    sandbox.sql("UPDATE sealing SET dek_check_value = x'00112233445566778899aabbccddeeff'");
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    for part in [right.trim(), "00112233445566778899aabbccddeeff"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(sandbox.dek_cache().exists(), "the cache is kept");
}

#[test]
fn software_storage_beside_a_wrapped_dek() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE key_storage_config SET storage_type = 'software'");
    let said = is_refused(&sandbox);
    for part in ["software", "pkcs11_token"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(sandbox.dek_cache().exists());
}

#[test]
fn a_setup_on_contradicting_values_makes_no_new_dek() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.new_container();
    flip_kek_id(&sandbox);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    sandbox.fails_unchanged(&setup, 65, "data_corrupt");
}

/// Shown or not, with its KEK or not: a token that is known and is not whole is warned about.
#[test]
fn c03_a_known_token_that_is_not_as_it_was_is_always_warned_about() {
    let losses: [fn(&Sandbox); 4] = [
        |sandbox| drop(sandbox.lose_token()),
        |sandbox| {
            sandbox.lose_token();
            sandbox.initialise_token();
        },
        Sandbox::delete_keks,
        |sandbox| {
            sandbox.sql("UPDATE pkcs11_token SET serial = ''");
            sandbox.lose_token();
        },
    ];
    for (which, lose) in losses.into_iter().enumerate() {
        for is_cached in [true, false] {
            let sandbox = Sandbox::softhsm();
            lose(&sandbox);
            if !is_cached {
                sandbox.new_container();
            }
            let run = sandbox.run(&["startup"]).expect(0);
            assert!(
                run.warnings().contains("mounted and readable"),
                "{which} {is_cached}: {}",
                run.warnings()
            );
        }
    }
}

#[test]
fn c19_a_damaged_password_blob_is_said_and_promises_nothing() {
    for damage in ["x'00'", "substr(bek_encrypted_dek, 1, 60)", "x''"] {
        let sandbox = Sandbox::softhsm();
        sandbox.sql(&format!(
            "UPDATE sealing SET bek_encrypted_dek = CAST({damage} AS BLOB)"
        ));
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        let warnings = run.warnings();
        assert!(warnings.contains("under the backup password"), "{warnings}");
        assert!(warnings.contains("set-backup-password"), "{warnings}");

        let run = sandbox.run(&["doctor"]);
        let checks = run.report["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["name"] == "backup_password")
            .unwrap();
        assert_eq!(check["result"], "fail", "{check}");
        run.expect(65);

        let file = sandbox.path("made.backup");
        let run = sandbox
            .run(&["backup", "create", file.to_str().unwrap()])
            .expect(0);
        let warnings = run.warnings();
        assert!(warnings.contains("under the backup password"), "{warnings}");

        sandbox.lose_token();
        sandbox.new_container();
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(
            run.restore_scenario(),
            "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
        );
        let warnings = run.warnings();
        assert!(warnings.contains("no password can help"), "{warnings}");
        assert!(!warnings.contains("ever set"), "{warnings}");
    }
}
