//! A copy of the DEK for each token: recovery adds one, each token works by itself, and one that was
//! stolen is forgotten.

mod forget;
pub mod schema_6;
mod scrub;

use std::fs;
use std::path::Path;

use crate::sandbox::{PASSWORD, Run, Sandbox};

/// A node that was recovered onto a second token, while the first was away.
pub struct TwoTokens {
    pub sandbox: Sandbox,
    fingerprint: String,
    pub first: String,
    second: String,
}

impl TwoTokens {
    pub fn new() -> Self {
        let sandbox = Sandbox::softhsm();
        let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
        let first = serials(&sandbox);
        sandbox.lose_token();
        sandbox.new_container();
        sandbox.run(&["startup"]).expect(0);
        recover(&sandbox).expect(0);
        let second = serials(&sandbox).replace(&first, "").trim().to_owned();
        Self {
            sandbox,
            fingerprint,
            first,
            second,
        }
    }

    /// The other token is there, and this one is away.
    fn swap(&self) {
        let [here, aside, between] =
            ["tokens", "tokens.lost", "between"].map(|name| self.sandbox.path(name));
        for (from, to) in [(&here, &between), (&aside, &here), (&between, &aside)] {
            fs::rename(from, to).unwrap();
        }
        self.sandbox.new_container();
    }

    /// Both are there.
    fn join(&self) {
        move_all(
            &self.sandbox.path("tokens.lost"),
            &self.sandbox.path("tokens"),
        );
        self.sandbox.new_container();
    }

    #[track_caller]
    fn is_ready(&self) {
        is_ready(&self.sandbox, &self.fingerprint);
    }
}

fn move_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[track_caller]
fn is_ready(sandbox: &Sandbox, fingerprint: &str) {
    let run = sandbox.run(&["startup"]).expect(0);
    let seen = (run.outcome(), run.fingerprint());
    assert_eq!(seen, ("ready".to_owned(), fingerprint.to_owned()));
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    assert!(sandbox.dek_cache().exists());
}

fn recover(sandbox: &Sandbox) -> Run {
    let file = sandbox.password_file(PASSWORD);
    sandbox.run(&["recover", "--backup-password-file", file.to_str().unwrap()])
}

/// The serial numbers of which the database knows, oldest first.
fn serials(sandbox: &Sandbox) -> String {
    let serials = sandbox.sql("SELECT serial FROM pkcs11_token ORDER BY id");
    serials.trim().to_owned()
}

/// What the database keeps for a token.
fn kept_for(sandbox: &Sandbox, serial: &str) -> String {
    sandbox.sql(&format!(
        "SELECT token.*, hex(encrypted_dek), key.id, hex(key_id), state \
         FROM pkcs11_token token JOIN pkcs11_key key ON token_id = token.id \
         WHERE serial = '{serial}'"
    ))
}

fn forget(sandbox: &Sandbox, serial: &str) -> Run {
    sandbox.run(&["keys", "forget-token", serial, "--yes"])
}

fn forget_with_password(sandbox: &Sandbox, serial: &str, password: &str) -> Run {
    let file = sandbox.password_file(password);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&[&["keys", "forget-token", serial, "--yes"][..], &file].concat())
}

#[test]
fn either_token_makes_the_node_ready_and_no_password_is_asked_for() {
    let node = TwoTokens::new();
    for _ in 0..4 {
        node.swap();
        node.is_ready();
    }
}

#[test]
fn either_token_works_after_any_number_of_upgrades() {
    let mut node = TwoTokens::new();
    for version in 2..9 {
        let version = format!("{version}.0.0");
        node.sandbox.set("TRUSTPOINT_APP_VERSION", &version);
        node.swap();
        node.is_ready();
    }
}

#[test]
fn recover_names_what_is_left_and_how_to_forget_it() {
    let sandbox = Sandbox::softhsm();
    let first = serials(&sandbox);
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let run = recover(&sandbox).expect(0);
    assert_eq!(run.text("/other_copies/0/serial"), first);
    assert_eq!(run.report["other_copies"][1], serde_json::Value::Null);
    let forget = format!("`trustpointctl keys forget-token {first}`");
    assert!(run.warnings().contains(&forget), "{}", run.warnings());
    assert!(!sandbox.root("var/lib/trustpoint/snapshots").exists());
}

#[test]
fn recover_on_the_token_of_before_names_no_other() {
    let sandbox = Sandbox::softhsm();
    sandbox.delete_keks();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let run = recover(&sandbox).expect(0);
    assert_eq!(run.report["other_copies"], serde_json::json!([]));
    assert!(!run.warnings().contains("forget-token"));
    // Whoever deleted the KEK, or initialised the device anew, deleted the others as well.
    let gone = "keys that lived on the old token alone are gone";
    assert!(run.warnings().contains(gone), "{}", run.warnings());
}

#[test]
fn a_rotation_on_one_token_leaves_the_other_as_it_is() {
    let node = TwoTokens::new();
    let before = kept_for(&node.sandbox, &node.first);
    let run = node
        .sandbox
        .run(&["keys", "rotate-kek", "--destroy-old"])
        .expect(0);
    assert!(!run.warnings().contains("forget-token"));
    assert_eq!(kept_for(&node.sandbox, &node.first), before);
    node.swap();
    node.is_ready();
    let second = kept_for(&node.sandbox, &node.second);
    node.sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_eq!(kept_for(&node.sandbox, &node.second), second);
    node.swap();
    node.is_ready();
}

#[test]
fn keys_show_lists_every_copy_and_which_is_in_use() {
    let node = TwoTokens::new();
    let seen = || {
        let keys = node.sandbox.run(&["keys", "show"]).expect(0).report["keys"].clone();
        let copies = keys["copies"].as_array().unwrap().clone();
        let copies: Vec<_> = copies
            .iter()
            .map(|copy| {
                assert_eq!(copy["label"], "Trustpoint-SoftHSM");
                assert!(copy["wrapped_at"].is_string(), "{copy}");
                (copy["serial"].clone(), copy["in_use"].clone())
            })
            .collect();
        assert_ne!(keys["copies"][0]["kek_id"], keys["copies"][1]["kek_id"]);
        (keys["token"]["serial"].clone(), copies)
    };
    let expected = |in_use: &str| {
        let copies = [&node.first, &node.second];
        let copies = copies.map(|serial| (serial.as_str().into(), (serial == in_use).into()));
        (in_use.into(), copies.to_vec())
    };
    assert_eq!(seen(), expected(&node.second));
    node.swap();
    node.is_ready();
    assert_eq!(seen(), expected(&node.first));
    let human = node.sandbox.run_human(&["keys", "show"]).expect(0).stdout;
    let lines = human.lines().filter(|line| line.starts_with("copy: "));
    let in_use: Vec<_> = lines.map(|line| line.ends_with(", in use")).collect();
    assert_eq!(in_use, [true, false], "{human}");
}

#[test]
fn of_tokens_under_one_label_one_that_has_a_copy_is_meant() {
    let node = TwoTokens::new();
    // All three carry our marker, and the one that wrapped the DEK last is away.
    let sandbox = &node.sandbox;
    let aside = sandbox.path("second");
    fs::rename(sandbox.path("tokens"), &aside).unwrap();
    fs::create_dir(sandbox.path("tokens")).unwrap();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    recover(sandbox).expect(0);
    let third = serials(sandbox);
    let third = third.lines().last().unwrap();
    node.join();
    node.is_ready();
    let run = sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(run.text("/keys/token/serial"), third);
    forget_with_password(sandbox, third, PASSWORD).expect(0);
    sandbox.new_container();
    node.is_ready();
    let run = sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(run.text("/keys/token/serial"), node.first);
}

#[test]
fn a_token_that_was_restored_under_another_serial_number_is_used() {
    let node = TwoTokens::new();
    let restored = format!(
        "UPDATE pkcs11_token SET serial = 'of-before' WHERE serial = '{}'",
        node.second
    );
    node.sandbox.sql(&restored);
    node.sandbox.new_container();
    node.is_ready();
    let run = node.sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(run.report["keys"]["copies"][1]["in_use"], true);
    node.sandbox.run(&["doctor"]).expect(0);
    // The next rotation knows it by its own.
    node.sandbox.run(&["keys", "rotate-kek"]).expect(0);
    forget(&node.sandbox, "of-before").expect(0);
    node.sandbox.new_container();
    node.is_ready();
    assert!(serials(&node.sandbox).contains(&node.second));
}

#[test]
fn what_is_wrong_with_the_copy_of_a_token_that_is_away_stops_no_node() {
    let node = TwoTokens::new();
    node.sandbox.sql(&format!(
        "UPDATE pkcs11_key SET key_id = x'0815' WHERE token_id = \
         (SELECT id FROM pkcs11_token WHERE serial = '{}')",
        node.first
    ));
    node.sandbox.new_container();
    node.is_ready();
    let run = node.sandbox.run(&["doctor"]).expect(0);
    let checks = run.report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "token_copies");
    let check = check.unwrap();
    assert_eq!(check["result"], "warn");
    assert!(check["detail"].as_str().unwrap().contains(&node.first));
    // Where that token comes back, it is damage and no lost key.
    node.swap();
    let said = node
        .sandbox
        .fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(
        said.contains("0815") && said.contains(&node.first),
        "{said}"
    );
    node.sandbox.run(&["keys", "rotate-kek"]).expect(0);
    node.is_ready();
}

/// As a recovery leaves it that was killed once it had made its KEK.
#[test]
fn doctor_warns_of_a_token_for_which_nothing_is_wrapped() {
    let sandbox = Sandbox::softhsm();
    sandbox.sql(
        "INSERT INTO pkcs11_token (id, label, serial) VALUES (2, 'Trustpoint-SoftHSM', 'half')",
    );
    let run = sandbox.run(&["doctor"]).expect(0);
    let checks = run.report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "token_copies");
    let check = check.unwrap();
    assert_eq!(check["result"], "warn");
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("half"), "{detail}");
    let run = forget(&sandbox, "half").expect(0);
    assert!(!run.warnings().contains("backups"), "{}", run.warnings());
    let run = sandbox.run(&["doctor"]).expect(0);
    let checks = run.report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "token_copies");
    assert_eq!(check.unwrap()["result"], "pass");
}

#[test]
fn a_backup_names_every_kek_and_opens_with_either_token() {
    let node = TwoTokens::new();
    let file = node.sandbox.path("both.backup").display().to_string();
    let run = node.sandbox.run(&["backup", "create", &file]).expect(0);
    let shown = node.sandbox.run(&["keys", "show"]).expect(0);
    let kek = |number: usize| shown.text(&format!("/keys/copies/{number}/kek_id"));
    assert_eq!(run.text("/backup/kek_id"), kek(1), "the last one");
    let keks = serde_json::json!([kek(1), kek(0)]);
    assert_eq!(run.report["backup"]["kek_ids"], keks);
    for _ in 0..2 {
        let run = node.sandbox.run(&["backup", "verify", &file]).expect(0);
        assert_eq!(run.report["backup"]["kek_ids"], keks);
        assert_eq!(run.text("/backup/opens_with/token/answer"), "yes");
        node.swap();
    }
    forget(&node.sandbox, &node.first).expect(0);
    node.swap();
    let run = node.sandbox.run(&["backup", "restore", &file]).expect(0);
    let forget = |serial: &str| format!("`trustpointctl keys forget-token {serial}`");
    let warnings = run.warnings();
    assert!(warnings.contains(&forget(&node.first)), "{warnings}");
    assert!(!warnings.contains(&forget(&node.second)), "{warnings}");
    node.is_ready();
}
