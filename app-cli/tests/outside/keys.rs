//! `keys`: what is shown, a new KEK, the backup password and its drill.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::sandbox::{PASSWORD, PIN, Run, SO_PIN, Sandbox, put};

const OTHER_PASSWORD: &str = "another horse, another battery";
const COLUMNS: &str = "SELECT hex(encrypted_dek), hex(bek_encrypted_dek), hex(dek_check_value), \
                       serial FROM pkcs11_token, sealing";

fn show(sandbox: &Sandbox) -> Value {
    let run = sandbox.run(&["keys", "show"]).expect(0);
    run.report["keys"].clone()
}

/// Runs a command with a password file.
fn with_password(sandbox: &Sandbox, command: &[&str], password: &str) -> Run {
    let file = sandbox.password_file(password);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&[command, &file].concat())
}

fn verify(sandbox: &Sandbox, password: &str) -> Run {
    with_password(sandbox, &["keys", "verify-backup-password"], password)
}

fn set(sandbox: &Sandbox, password: &str) -> Run {
    with_password(sandbox, &["keys", "set-backup-password"], password)
}

/// Root and tokens.
fn picture(sandbox: &Sandbox) -> Vec<(PathBuf, String)> {
    let tokens = Sandbox::picture_below(&sandbox.store().tokens());
    sandbox.picture().into_iter().chain(tokens).collect()
}

#[track_caller]
fn assert_ready_after_restart(sandbox: &Sandbox, fingerprint: &str) -> Run {
    sandbox.new_container();
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready", "{}", run.stdout);
    assert_eq!(run.fingerprint(), fingerprint);
    run
}

#[test]
fn show_names_what_database_and_token_hold() {
    let sandbox = Sandbox::softhsm();
    let keys = show(&sandbox);
    let check_value = sandbox.sql("SELECT lower(hex(dek_check_value)) FROM sealing");
    let serial = sandbox.sql("SELECT serial FROM pkcs11_token");
    assert_eq!(keys["token"]["label"], "Trustpoint-SoftHSM");
    assert_eq!(keys["token"]["serial"], serial.trim());
    assert_eq!(keys["token"]["pin"], "fine");
    assert_eq!(keys["token"]["present"], true);
    let id = sandbox.keys_on_token().concat();
    assert_eq!(keys["kek"]["id"], id);
    assert_eq!(keys["kek"]["on_token"], true);
    assert_eq!(keys["dek"]["check_value"], check_value.trim());
    assert_eq!(keys["dek"]["wrap_format"], "AES_KEY_WRAP");
    assert_eq!(keys["backup_password"]["set"], true);
    let since = keys["backup_password"]["since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
}

#[test]
fn the_check_value_of_the_kek_is_what_it_makes_of_zeros() {
    let sandbox = Sandbox::softhsm();
    put(&sandbox.path("zeros"), [0; 16]);
    let (zeros, out) = (sandbox.path("zeros"), sandbox.path("out"));
    let id = sandbox.keys_on_token().concat();
    sandbox.pkcs11_tool(&[
        "--encrypt",
        "--mechanism",
        "AES-ECB",
        "--id",
        &id,
        "--input-file",
        zeros.to_str().unwrap(),
        "--output-file",
        out.to_str().unwrap(),
    ]);
    let bytes = fs::read(out).unwrap();
    let hex: String = bytes[..3]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(show(&sandbox)["kek"]["check_value"], hex);
}

#[test]
fn show_changes_nothing_and_tells_no_key() {
    let sandbox = Sandbox::softhsm();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let dek: String = dek.iter().map(|byte| format!("{byte:02x}")).collect();
    let before = sandbox.picture();
    let human = sandbox.run_human(&["keys", "show"]).expect(0).said();
    let said = sandbox.run(&["keys", "show"]).expect(0).said() + &human;
    assert_eq!(sandbox.picture(), before);
    for secret in [&dek, PIN, SO_PIN, PASSWORD] {
        assert!(!said.to_lowercase().contains(&secret.to_lowercase()));
    }
    for word in [
        "KEK check value",
        "DEK check value",
        "AES_KEY_WRAP",
        "backup password: set",
    ] {
        assert!(human.contains(word), "{word}: {human}");
    }
}

#[test]
fn show_needs_no_pin_for_what_the_database_knows() {
    let mut sandbox = Sandbox::softhsm();
    let all = show(&sandbox);
    sandbox.unset("HSM_PIN");
    let run = sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(run.report["keys"]["dek"], all["dek"]);
    assert_eq!(run.report["keys"]["kek"]["id"], all["kek"]["id"]);
    assert_eq!(run.report["keys"]["kek"]["check_value"], Value::Null);
    assert_eq!(run.report["keys"]["kek"]["on_token"], Value::Null);
    assert!(run.warnings().contains("user PIN"), "{}", run.warnings());
}

#[test]
fn show_says_that_no_backup_password_is_set_and_that_a_kek_is_gone() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.delete_keks();
    let keys = show(&sandbox);
    assert_eq!(keys["backup_password"]["set"], false);
    assert_eq!(keys["backup_password"]["since"], Value::Null);
    assert_eq!(keys["kek"]["on_token"], false);
    let said = sandbox.run_human(&["keys", "show"]).expect(0).said();
    assert!(
        said.contains("NOT set") && said.contains("NOT on the token"),
        "{said}"
    );
}

#[test]
fn every_command_of_keys_is_refused_where_there_are_no_keys() {
    for sandbox in [Sandbox::new(), Sandbox::software()] {
        let file = sandbox.password_file(PASSWORD);
        let file = ["--backup-password-file", file.to_str().unwrap()];
        for command in [
            &["keys", "show"][..],
            &["keys", "rotate-kek"],
            &[&["keys", "set-backup-password"][..], &file].concat(),
            &[&["keys", "verify-backup-password"][..], &file].concat(),
        ] {
            sandbox.fails_unchanged(command, 78, "config");
        }
    }
}

#[test]
fn rotate_makes_a_new_kek_for_the_same_dek() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let before = show(&sandbox);
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let old_blob = sandbox.sql("SELECT hex(encrypted_dek) FROM pkcs11_token");
    let run = sandbox.run(&["keys", "rotate-kek"]).expect(0);
    for (step, result) in [
        ("generate_kek", "done"),
        ("wrap_dek", "done"),
        ("verify_dek", "unchanged"),
    ] {
        assert_eq!(run.step(step), result, "{step}");
    }
    let after = show(&sandbox);
    assert_ne!(after["kek"]["id"], before["kek"]["id"]);
    // A token need not have check values.
    if before["kek"]["check_value"] != Value::Null {
        assert_ne!(after["kek"]["check_value"], before["kek"]["check_value"]);
    }
    assert_eq!(after["dek"], before["dek"]);
    assert_eq!(
        after["kek"]["old"][0], before["kek"]["id"],
        "the old one is kept, and known"
    );
    assert_eq!(after["kek"]["pending"], Value::Null);
    assert_eq!(sandbox.keys_on_token().len(), 2);
    assert_ne!(
        sandbox.sql("SELECT hex(encrypted_dek) FROM pkcs11_token"),
        old_blob
    );
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    assert_ready_after_restart(&sandbox, &fingerprint);
    assert_eq!(fs::read(sandbox.dek_cache()).unwrap(), dek);
    verify(&sandbox, PASSWORD).expect(0);
}

#[test]
fn rotate_destroys_the_old_keks_only_where_asked_and_never_those_of_others() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.add_foreign_kek();
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_eq!(sandbox.keys_on_token().len(), 3);
    let run = sandbox
        .run(&["keys", "rotate-kek", "--destroy-old"])
        .expect(0);
    assert_eq!(run.step("destroy_kek"), "done");
    let mut left = vec!["4711".to_owned()];
    left.push(show(&sandbox)["kek"]["id"].as_str().unwrap().to_owned());
    left.sort();
    assert_eq!(sandbox.keys_on_token(), left);
    assert_ready_after_restart(&sandbox, &fingerprint);
}

#[test]
fn a_dek_that_only_the_cache_has_is_saved_by_a_rotation() {
    let lost: [fn(&Sandbox); 2] = [Sandbox::delete_keks, |sandbox| {
        sandbox.lose_token();
    }];
    for lose in lost {
        // Without a backup password: the cache is all there is.
        let sandbox = Sandbox::softhsm_without_password();
        let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
        lose(&sandbox);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert!(
            run.warnings().contains("keys rotate-kek"),
            "{}",
            run.warnings()
        );
        sandbox.run(&["keys", "rotate-kek"]).expect(0);
        let run = assert_ready_after_restart(&sandbox, &fingerprint);
        assert!(
            !run.warnings().contains("keys rotate-kek"),
            "{}",
            run.warnings()
        );
        assert_eq!(show(&sandbox)["kek"]["old"], Value::Array(Vec::new()));
    }
}

#[test]
fn a_broken_blob_is_made_anew_from_the_cache() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.sql("UPDATE pkcs11_token SET encrypted_dek = x'0011'");
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_ready_after_restart(&sandbox, &fingerprint);
}

#[test]
fn without_kek_and_cache_a_rotation_is_refused() {
    let sandbox = Sandbox::softhsm();
    sandbox.delete_keks();
    sandbox.lose_runtime();
    let said = sandbox.fails_unchanged(&["keys", "rotate-kek"], 78, "config");
    assert!(said.contains("recover"), "{said}");
    assert!(!sandbox.dek_cache().exists());
}

#[test]
fn a_foreign_dek_in_the_cache_is_never_wrapped() {
    let sandbox = Sandbox::softhsm();
    sandbox.delete_keks();
    put(&sandbox.dek_cache(), [0x41; 32]);
    sandbox.fails_unchanged(&["keys", "rotate-kek"], 78, "config");
    let file = sandbox.password_file(OTHER_PASSWORD);
    let arguments = [
        "keys",
        "set-backup-password",
        "--backup-password-file",
        file.to_str().unwrap(),
    ];
    sandbox.fails_unchanged(&arguments, 78, "config");
}

#[test]
fn a_wrong_pin_ends_a_rotation_before_anything_is_changed() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("HSM_PIN", "2718-2818");
    sandbox.fails_unchanged(&["keys", "rotate-kek"], 77, "denied");
    sandbox.set("HSM_PIN", PIN);
    assert_eq!(sandbox.keys_on_token().len(), 1);
}

#[test]
fn the_drill_proves_the_password_and_changes_nothing() {
    let sandbox = Sandbox::softhsm();
    let before = picture(&sandbox);
    let run = verify(&sandbox, PASSWORD).expect(0);
    assert_eq!(run.step("verify_backup_password"), "unchanged");
    verify(&sandbox, OTHER_PASSWORD).expect_error(77, "denied");
    assert_eq!(picture(&sandbox), before);
    // Neither token nor cache nor lock is needed.
    sandbox.lose_token();
    sandbox.lose_runtime();
    let lock = fs::File::open(sandbox.database().with_extension("db.lock")).unwrap();
    lock.lock().unwrap();
    verify(&sandbox, PASSWORD).expect(0);
}

#[test]
fn the_drill_tells_a_password_of_another_dek() {
    let (sandbox, other) = (Sandbox::softhsm(), Sandbox::softhsm());
    let blob = other.sql("SELECT hex(bek_encrypted_dek) FROM sealing");
    let blob = blob.trim();
    sandbox.sql(&format!("UPDATE sealing SET bek_encrypted_dek = x'{blob}'"));
    verify(&sandbox, PASSWORD).expect_error(65, "data_corrupt");
}

#[test]
fn the_drill_without_a_backup_password_says_so() {
    let sandbox = Sandbox::softhsm_without_password();
    let said = verify(&sandbox, PASSWORD).expect_error(78, "config");
    assert!(said.contains("set-backup-password"), "{said}");
}

#[test]
fn a_backup_password_that_is_set_later_recovers_the_node() {
    let sandbox = Sandbox::softhsm_without_password();
    let run = sandbox.run(&["startup"]).expect(0);
    assert!(run.warnings().contains("no backup password"));
    set(&sandbox, PASSWORD).expect(0);
    let again = sandbox.run(&["startup"]).expect(0);
    assert!(!again.warnings().contains("no backup password"));
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    with_password(&sandbox, &["recover"], PASSWORD).expect(0);
    assert_ready_after_restart(&sandbox, &run.fingerprint());
}

#[test]
fn a_changed_backup_password_takes_the_place_of_the_old_one() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql("UPDATE sealing SET bek_set_at = '2020-01-01T00:00:00Z'");
    let before = sandbox.sql(COLUMNS);
    let run = set(&sandbox, OTHER_PASSWORD).expect(0);
    assert!(
        run.warnings().contains("of their time"),
        "{}",
        run.warnings()
    );
    verify(&sandbox, OTHER_PASSWORD).expect(0);
    verify(&sandbox, PASSWORD).expect_error(77, "denied");
    let since = show(&sandbox)["backup_password"]["since"].clone();
    assert_ne!(since, "2020-01-01T00:00:00Z");
    let after = sandbox.sql(COLUMNS);
    let (before, after): (Vec<_>, Vec<_>) =
        (before.split('|').collect(), after.split('|').collect());
    for column in [0, 2, 3] {
        assert_eq!(before[column], after[column]);
    }
    assert_ne!(before[1], after[1]);
}

#[test]
fn set_finds_the_dek_on_the_token_where_none_is_cached() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    set(&sandbox, OTHER_PASSWORD).expect(0);
    assert!(!sandbox.dek_cache().exists(), "the cache is a start's work");
    verify(&sandbox, OTHER_PASSWORD).expect(0);
}

#[test]
fn set_without_the_dek_is_refused() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.lose_runtime();
    let file = sandbox.password_file(OTHER_PASSWORD);
    let arguments = [
        "keys",
        "set-backup-password",
        "--backup-password-file",
        file.to_str().unwrap(),
    ];
    sandbox.fails_unchanged(&arguments, 78, "config");
}

#[test]
fn a_short_backup_password_is_refused() {
    let sandbox = Sandbox::softhsm();
    let file = sandbox.password_file("eleven char");
    let arguments = [
        "keys",
        "set-backup-password",
        "--backup-password-file",
        file.to_str().unwrap(),
    ];
    let said = sandbox.fails_unchanged(&arguments, 2, "usage");
    assert!(said.contains("12"), "{said}");
}

/// How many mappings of 64 MiB a command makes, and how many it gives back.
fn big_mappings(sandbox: &Sandbox, arguments: &[&str]) -> (usize, usize) {
    let log = sandbox.path("mappings");
    let strace = [
        "strace",
        "-f",
        "-o",
        log.to_str().unwrap(),
        "-e",
        "trace=mmap,munmap,mremap",
    ];
    sandbox.run_under(&strace, arguments).expect(0);
    let log = fs::read_to_string(log).unwrap();
    let size = |line: &str| {
        line.split([',', ')'])
            .nth(1)
            .and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    // Stacks and arenas of threads are reserved without access, and half an arena, 64 MiB to the
    // byte, may be given back; what is allocated is that and a header.
    let big = |call: &str| {
        let lines = log
            .lines()
            .filter(|line| line.contains(call) && !line.contains("PROT_NONE"));
        lines
            .filter(|line| ((64 << 20) + 1..80 << 20).contains(&size(line)))
            .count()
    };
    (big(" mmap("), big(" munmap("))
}

#[test]
fn one_derivation_for_each_command_and_its_memory_is_given_back() {
    let sandbox = Sandbox::softhsm();
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    let check = |words: &[&str]| {
        let mappings = big_mappings(&sandbox, &[words, &file].concat());
        assert_eq!(mappings, (1, 1), "{words:?}");
    };
    check(&["keys", "verify-backup-password"]);
    check(&["keys", "set-backup-password"]);
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    check(&["recover"]);
    assert_eq!(big_mappings(&sandbox, &["keys", "show"]), (0, 0));
}
