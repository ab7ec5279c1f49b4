//! A lost token, and the ways back: the backup password, or the token itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::p11_kit::{self, Served};
use crate::sandbox::{PASSWORD, PIN, Run, Sandbox, openssl_fingerprint, put, tool};

const LOST: &str = "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED";
const READY: &str = "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED";

/// A node whose token is lost, and which waits for the backup password; and the fingerprint of
/// before.
fn waiting() -> (Sandbox, String) {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.restore_scenario(), LOST);
    assert_eq!(run.outcome(), "recovery_required");
    assert_eq!(run.tls_source(), "temporary");
    assert_ne!(run.fingerprint(), fingerprint);
    (sandbox, fingerprint)
}

fn recover(sandbox: &Sandbox, password: &str) -> Run {
    let file = sandbox.password_file(password);
    sandbox.run(&["recover", "--backup-password-file", file.to_str().unwrap()])
}

/// The node is what it was before the token was lost, also for the next container.
#[track_caller]
fn assert_is_back(sandbox: &Sandbox, fingerprint: &str) {
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    sandbox.new_container();
    // Only the sealed key in the database can bring this back.
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.restore_scenario(), READY);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.tls_source(), "database");
    assert_eq!(run.fingerprint(), fingerprint);
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    assert_eq!(openssl_fingerprint(&certificate), fingerprint);
    let key = sandbox.tls("nginx-tls-server-key.key");
    let of_certificate = [
        "x509",
        "-noout",
        "-pubkey",
        "-in",
        certificate.to_str().unwrap(),
    ];
    let of_key = ["pkey", "-pubout", "-in", key.to_str().unwrap()];
    assert_eq!(tool("openssl", of_certificate), tool("openssl", of_key));
}

fn tokens(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    Sandbox::picture_below(&sandbox.store().tokens())
}

#[test]
fn the_backup_password_alone_brings_the_node_back() {
    let (sandbox, fingerprint) = waiting();
    let temporary = sandbox.run(&["startup"]).expect(0).fingerprint();
    let tokens_before = tokens(&sandbox);

    let file = sandbox.password_file("wrong horse battery staple");
    let wrong = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.fails_unchanged(&wrong, 77, "denied");
    assert_eq!(tokens(&sandbox), tokens_before);

    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.restore_scenario(), LOST, "a restart goes on waiting");
    assert_eq!(run.fingerprint(), temporary);
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");

    let run = recover(&sandbox, PASSWORD).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), fingerprint);
    assert!(run.warnings().contains("old token alone are gone"));
    let is_made = sandbox.store().kind().has_free_slots();
    let made = if is_made { "done" } else { "unchanged" };
    assert_eq!(run.step("initialise_token"), made);
    for step in ["generate_kek", "wrap_dek", "cache_dek"] {
        assert_eq!(run.step(step), "done", "{step}");
    }
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn the_old_token_back_needs_no_password() {
    let (sandbox, fingerprint) = waiting();
    sandbox.bring_token_back();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), fingerprint);
    assert_is_back(&sandbox, &fingerprint);
    let said = recover(&sandbox, PASSWORD).expect_error(78, "config");
    assert!(said.contains("does not wait"), "{said}");
}

#[test]
fn the_old_token_back_while_the_node_waits_is_used_by_recover() {
    let (sandbox, fingerprint) = waiting();
    sandbox.bring_token_back();
    let keys = sandbox.keys_on_token();
    let run = recover(&sandbox, PASSWORD).expect(0);
    for step in ["initialise_token", "generate_kek", "wrap_dek"] {
        assert_eq!(run.step(step), "unchanged", "{step}");
    }
    assert_eq!(
        sandbox.keys_on_token(),
        keys,
        "no key is made where ours is"
    );
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn both_tokens_under_one_label_the_one_in_use_is_meant() {
    let (mut sandbox, fingerprint) = waiting();
    recover(&sandbox, PASSWORD).expect(0);
    sandbox.bring_token_back_beside();
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn a_token_that_was_initialised_beforehand_is_used_as_it_is() {
    let (sandbox, fingerprint) = waiting();
    sandbox.initialise_token();
    let run = recover(&sandbox, PASSWORD).expect(0);
    assert_eq!(run.step("initialise_token"), "unchanged");
    assert_eq!(sandbox.store().count().unwrap(), 1);
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn a_token_whose_user_pin_was_never_set_is_finished() {
    let (sandbox, fingerprint) = waiting();
    sandbox.half_initialise_token();
    recover(&sandbox, PASSWORD).expect(0);
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn a_token_with_another_pin_is_denied_and_nothing_is_changed() {
    let (mut sandbox, _) = waiting();
    sandbox.initialise_token();
    sandbox.set("HSM_PIN", "2718-2818");
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.fails_unchanged(&arguments, 77, "denied");
    assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
    sandbox.set("HSM_PIN", PIN);
    recover(&sandbox, PASSWORD).expect(0);
}

#[test]
fn a_foreign_kek_under_our_label_is_left_alone() {
    let (sandbox, fingerprint) = waiting();
    sandbox.initialise_token();
    sandbox.add_foreign_kek();
    recover(&sandbox, PASSWORD).expect(0);
    let keys = sandbox.keys_on_token();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.contains(&"4711".to_owned()), "{keys:?}");
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn a_kek_that_was_deleted_is_made_anew_on_its_token() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.delete_keks();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.restore_scenario(), LOST);
    let run = recover(&sandbox, PASSWORD).expect(0);
    assert_eq!(run.step("initialise_token"), "unchanged");
    assert_eq!(run.step("generate_kek"), "done");
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn tokens_of_other_labels_are_never_touched() {
    let (mut sandbox, fingerprint) = waiting();
    let own = sandbox.store().list().unwrap();
    for label in ["Other", "Another"] {
        sandbox.add_token(label, "3333-4444", "1111-2222");
    }
    let mut others = sandbox.store().list().unwrap();
    others.retain(|token| !own.contains(token));
    let picture = || -> Vec<_> {
        let each = others.iter().map(|token| Sandbox::picture_below(token));
        each.collect()
    };
    let before = picture();
    assert_eq!(before.len(), 2);
    recover(&sandbox, PASSWORD).expect(0);
    assert!(picture() == before, "another token was changed");
    assert_is_back(&sandbox, &fingerprint);
}

#[test]
fn without_a_free_slot_the_tokens_there_are_named_and_left_alone() {
    let (mut sandbox, _) = waiting();
    sandbox.add_token("Other", "3333-4444", "1111-2222");
    let before = tokens(&sandbox);
    p11_kit::configure_client(&mut sandbox);
    let _server = Served::of(&sandbox, "pkcs11:token=Other");
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(
        said.contains("Other") && said.contains("no slot is free"),
        "{said}"
    );
    assert_eq!(tokens(&sandbox), before);
}

#[test]
fn recover_is_refused_where_nothing_is_to_be_recovered() {
    for (sandbox, word) in [
        (Sandbox::new(), "no database"),
        (Sandbox::software(), "no token is needed"),
        (Sandbox::softhsm(), "does not wait"),
    ] {
        let file = sandbox.password_file(PASSWORD);
        let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
        let said = sandbox.fails_unchanged(&arguments, 78, "config");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn without_a_backup_password_only_the_old_token_helps() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.lose_token();
    sandbox.new_container();
    let run = sandbox.run(&["startup"]).expect(0);
    assert!(
        run.warnings().contains("no password can help"),
        "{}",
        run.warnings()
    );
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("no password can help"), "{said}");
    sandbox.bring_token_back();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn an_altered_blob_is_no_wrong_password_where_it_can_be_told() {
    let (sandbox, _) = waiting();
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    for (change, code, kind) in [
        ("x'00'", 65, "data_corrupt"),
        ("substr(bek_encrypted_dek, 1, 60)", 65, "data_corrupt"),
        // A memory of 4 GiB that nobody asked for.
        (
            "substr(bek_encrypted_dek, 1, 6) || x'00400000' || substr(bek_encrypted_dek, 11)",
            65,
            "data_corrupt",
        ),
        // Without its tag, which is random.
        (
            "substr(bek_encrypted_dek, 1, 78) || x'00000000000000000000000000000000'",
            77,
            "denied",
        ),
    ] {
        let right = sandbox.sql("SELECT hex(bek_encrypted_dek) FROM sealing");
        sandbox.sql(&format!(
            "UPDATE sealing SET bek_encrypted_dek = CAST({change} AS BLOB)"
        ));
        sandbox.fails_unchanged(&arguments, code, kind);
        let right = right.trim();
        sandbox.sql(&format!(
            "UPDATE sealing SET bek_encrypted_dek = x'{right}'"
        ));
    }
    recover(&sandbox, PASSWORD).expect(0);
}

#[test]
fn a_password_of_another_dek_is_corrupt_and_changes_nothing() {
    let (sandbox, _) = waiting();
    let (other, _) = waiting();
    let blob = other.sql("SELECT hex(bek_encrypted_dek) FROM sealing");
    let blob = blob.trim();
    sandbox.sql(&format!("UPDATE sealing SET bek_encrypted_dek = x'{blob}'"));
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    let said = sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
    assert!(said.contains("not the one that seals"), "{said}");
}

#[test]
fn a_credential_that_cannot_be_opened_is_found_before_the_token_is_touched() {
    let (sandbox, _) = waiting();
    sandbox.sql("UPDATE credential SET private_key = x'00112233'");
    let before = tokens(&sandbox);
    let file = sandbox.password_file(PASSWORD);
    let arguments = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
    assert_eq!(tokens(&sandbox), before);
}

#[test]
fn the_password_comes_on_standard_input_too() {
    let (sandbox, fingerprint) = waiting();
    put(&sandbox.path("stdin"), format!("{PASSWORD}\n"));
    let mut command = sandbox.command(&["recover", "--backup-password-file", "-"]);
    command.stdin(fs::File::open(sandbox.path("stdin")).unwrap());
    Run::end_of(&mut command).expect(0);
    assert_is_back(&sandbox, &fingerprint);
}

/// Puts a reload command into the configuration that leaves a file, and names the file.
fn reload_leaves_a_file(sandbox: &Sandbox) -> PathBuf {
    let reloaded = sandbox.path("reloaded");
    let text = format!("[nginx]\nreload = [\"touch\", {reloaded:?}]\n");
    put(&sandbox.root("etc/trustpoint/trustpointctl.toml"), &text);
    reloaded
}

#[test]
fn recover_and_setup_have_the_web_server_take_up_the_credential() {
    let (sandbox, _) = waiting();
    let reloaded = reload_leaves_a_file(&sandbox);
    let run = recover(&sandbox, PASSWORD).expect(0);
    assert_eq!(run.step("reload_web_server"), "done");
    assert!(reloaded.exists());

    let sandbox = Sandbox::new();
    let reloaded = reload_leaves_a_file(&sandbox);
    sandbox.run(&["startup"]).expect(0);
    assert!(!reloaded.exists());
    let setup = ["setup", "--storage", "software", "--san", "node.example"];
    let run = sandbox.run(&setup).expect(0);
    assert_eq!(run.step("reload_web_server"), "done");
    assert!(reloaded.exists());
}

#[test]
fn a_token_whose_initialisation_was_cut_short_is_finished_by_recover() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox.lose_token();
    sandbox.half_initialise_token();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    recover(&sandbox, PASSWORD).expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn a_wrapped_dek_that_is_damaged_is_mended_by_the_backup_password() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    recover(&sandbox, PASSWORD).expect_error(78, "config");
    sandbox.lose_runtime();
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = substr(encrypted_dek, 1, 40)");
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    recover(&sandbox, PASSWORD).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        (run.outcome().as_str(), run.fingerprint()),
        ("ready", before)
    );
}

#[test]
fn setup_on_a_node_that_waits_names_recover_and_status_names_what_comes_first() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.lose_runtime();
    let status = sandbox.run_human(&["status"]).stdout;
    assert!(
        status.contains("`trustpointctl startup`, and then"),
        "{status}"
    );
    sandbox.run(&["startup"]).expect(0);
    let status = sandbox.run_human(&["status"]).stdout;
    assert!(!status.contains("`trustpointctl startup`"), "{status}");
    let said = sandbox.fails_unchanged(&["setup", "--storage", "software"], 78, "config");
    assert!(said.contains("`trustpointctl recover`"), "{said}");
    assert!(!said.contains("--reset"), "{said}");
}

#[test]
fn a_password_file_that_is_missing_is_named_as_the_password() {
    let (sandbox, _) = waiting();
    let missing = sandbox.path("missing").display().to_string();
    let recover = ["recover", "--backup-password-file", &missing];
    let said = sandbox.fails_unchanged(&recover, 77, "denied");
    assert!(said.contains("the backup password cannot be had"), "{said}");
    assert!(said.contains(&missing), "{said}");
}
