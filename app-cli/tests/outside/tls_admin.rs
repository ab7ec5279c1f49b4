//! `tls show`, `renew`, `history`, `activate`, and the reload.

mod advice;
mod damage;
mod import;
pub mod pki;
mod reload;

use std::fs;

use crate::sandbox::{Sandbox, openssl_fingerprint};

/// The database, Nginx and the report name one certificate.
#[track_caller]
fn assert_serves(sandbox: &Sandbox, fingerprint: &str) {
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    assert_eq!(openssl_fingerprint(&certificate), fingerprint);
    let active = sandbox.sql(
        "SELECT sha256_fingerprint FROM credential JOIN active_tls_server_credential \
         ON credential_id = credential.id",
    );
    assert_eq!(active.trim(), fingerprint);
    let start = sandbox.run(&["startup"]).expect(0);
    assert_eq!(start.fingerprint(), fingerprint);
    assert_eq!(start.step("provide_tls"), "unchanged");
}

#[test]
fn renew_makes_a_new_certificate_for_the_names_that_are_asked_for() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let before = sandbox.run(&["startup"]).expect(0).fingerprint();
        let names = ["--san", "pki.example.org", "--san", "10.1.2.3"];
        let run = sandbox
            .run(&[&["tls", "renew"], &names[..]].concat())
            .expect(0);
        assert_eq!(run.step("save_credential"), "done");
        assert_eq!(run.step("provide_tls"), "done");
        assert_eq!(run.tls_source(), "generated");
        assert_ne!(run.fingerprint(), before);
        assert_serves(&sandbox, &run.fingerprint());

        let shown = sandbox.run(&["tls", "show"]).expect(0);
        assert_eq!(
            shown.report["active"]["san"],
            serde_json::json!(["pki.example.org", "10.1.2.3"])
        );
        // Without names it is for the same ones again: none that setup was given gets lost.
        sandbox.run(&["tls", "renew"]).expect(0);
        let again = sandbox.run(&["tls", "show"]).expect(0);
        assert_eq!(again.report["active"]["san"], shown.report["active"]["san"]);
    }
}

/// What `status` would say of the node is no answer to it.
#[test]
fn a_person_is_told_what_was_done_with_the_certificate_and_what_is_next() {
    let sandbox = Sandbox::software();
    let renewed = sandbox.run_human(&["tls", "renew"]).expect(0).stdout;
    let lines: Vec<_> = renewed.lines().collect();
    let begins = |text: &str| lines.iter().any(|line| line.trim_start().starts_with(text));
    for text in [
        "done  save_credential: ",
        "tls ",
        "SHA-256 fingerprint: ",
        "next ",
    ] {
        assert!(begins(text), "{text}: {renewed}");
    }
    assert!(
        !lines.iter().any(|line| line.trim() == "ready"),
        "{renewed}"
    );
}

#[test]
fn renew_prefers_the_configured_names_to_those_of_before() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_TLS_SAN", "configured.example.org");
    sandbox.run(&["tls", "renew"]).expect(0);
    let shown = sandbox.run(&["tls", "show"]).expect(0);
    assert_eq!(
        shown.report["active"]["san"],
        serde_json::json!(["configured.example.org"])
    );
}

#[test]
fn a_new_key_is_sealed_on_a_softhsm_node_and_opens_in_a_new_container() {
    let sandbox = Sandbox::softhsm();
    let renewed = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
    assert_eq!(
        sandbox.sql("SELECT DISTINCT private_key_format FROM credential"),
        "sealed_v1\n"
    );
    sandbox.new_container();
    // Where the DEK is not cached the KEK unwraps it, as in a start.
    let again = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
    assert_ne!(again, renewed);
    assert_serves(&sandbox, &again);
}

#[test]
fn history_lists_all_and_activate_brings_one_back() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let first = sandbox.run(&["startup"]).expect(0).fingerprint();
        let second = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
        let history = sandbox.run(&["tls", "history"]).expect(0).report["credentials"].clone();
        assert_eq!(history[0]["sha256_fingerprint"], second.as_str());
        assert_eq!(history[0]["active"], true);
        assert_eq!(history[1]["sha256_fingerprint"], first.as_str());
        assert_eq!(history[1]["active"], false);

        // The beginning is enough, in any writing.
        let short = first.replace(':', "").to_lowercase();
        let run = sandbox.run(&["tls", "activate", &short[..12]]).expect(0);
        assert_eq!(run.fingerprint(), first);
        assert_eq!(run.step("activate_credential"), "done");
        assert_serves(&sandbox, &first);
        let run = sandbox.run(&["tls", "activate", &first]).expect(0);
        assert_eq!(run.step("activate_credential"), "unchanged");
        assert_eq!(run.step("provide_tls"), "unchanged");
    }
}

#[test]
fn a_fingerprint_that_nobody_has_changes_nothing() {
    let sandbox = Sandbox::software();
    let nobodys = "AB:".repeat(32);
    for unknown in [nobodys.as_str(), "", "zz"] {
        let said = sandbox.fails_unchanged(&["tls", "activate", unknown], 2, "usage");
        assert!(said.contains("tls history"), "{said}");
    }
}

#[test]
fn show_and_history_change_nothing_and_use_no_pin() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("HSM_PIN", "0000-0000");
    let before = sandbox.picture();
    let ledger = sandbox.root("var/lib/trustpoint/pin-rejected");
    fs::remove_file(&ledger).unwrap();
    let shown = sandbox.run(&["tls", "show"]).expect(0);
    assert_eq!(shown.report["active"]["key_sealed"], true);
    assert_eq!(shown.report["active"]["key"], "ECDSA P-256");
    assert_eq!(shown.tls_source(), "database");
    sandbox.run(&["tls", "history"]).expect(0);
    assert_eq!(before, sandbox.picture());
    assert!(!ledger.exists());
    let human = sandbox.run_human(&["tls", "show"]).expect(0);
    assert!(human.stdout.contains(&shown.fingerprint()));
    assert!(!human.stdout.contains("PRIVATE"));
}

#[test]
fn renew_puts_a_credential_right_that_no_start_can_use() {
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE credential SET private_key = 'noise'");
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    let run = sandbox.run(&["tls", "renew"]).expect(0);
    assert_serves(&sandbox, &run.fingerprint());
}

#[test]
fn a_node_without_a_database_is_told_to_start() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["tls", "renew"]).expect_error(78, "config");
    assert!(said.contains("startup"), "{said}");
    assert!(!sandbox.database().exists());
    let shown = sandbox.run(&["tls", "show"]).expect(0);
    assert!(shown.report["active"].is_null());
}

#[test]
fn while_the_dek_is_out_of_reach_nothing_is_changed() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let said = sandbox.fails_unchanged(&["tls", "renew"], 78, "config");
    assert!(said.contains("DEK is out of reach"), "{said}");
}

#[test]
fn a_downgraded_program_changes_no_credential() {
    let mut sandbox = Sandbox::software();
    sandbox.sql("UPDATE app_version SET version = '99.0.0'");
    sandbox.fails_unchanged(&["tls", "renew"], 12, "version_downgrade");
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    sandbox.run(&["tls", "renew"]).expect(0);
}

#[test]
fn tls_commands_on_an_empty_root_create_nothing() {
    let sandbox = Sandbox::new();
    let fingerprint = vec!["AB"; 32].join(":");
    for arguments in [&["tls", "renew"][..], &["tls", "activate", &fingerprint]] {
        sandbox.run(arguments).expect_error(78, "config");
        assert!(!sandbox.path("root").exists(), "{arguments:?}");
    }
}
