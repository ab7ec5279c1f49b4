//! A copy of the DEK for each token: recovery adds one, each token works by itself, and one that was
//! stolen is forgotten.

use std::fs;
use std::path::Path;

use crate::sandbox::{PASSWORD, Run, Sandbox, tool};

/// A node that was recovered onto a second token, while the first was away.
struct TwoTokens {
    sandbox: Sandbox,
    fingerprint: String,
    first: String,
    second: String,
}

impl TwoTokens {
    fn new() -> Self {
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
    assert!(said.contains("0815") && said.contains(&node.first), "{said}");
    node.sandbox.run(&["keys", "rotate-kek"]).expect(0);
    node.is_ready();
}

#[test]
fn a_stolen_token_is_forgotten() {
    let node = TwoTokens::new();
    let blob = format!(
        "SELECT hex(encrypted_dek) FROM pkcs11_token WHERE serial = '{}'",
        node.first
    );
    let blob = node.sandbox.sql(&blob);
    let second = kept_for(&node.sandbox, &node.second);
    let run = forget(&node.sandbox, &node.first).expect(0);
    assert_eq!(run.step("forget_token"), "done");
    assert!(
        run.warnings().contains("backups and snapshots made before"),
        "{}",
        run.warnings()
    );
    assert_eq!(serials(&node.sandbox), node.second);
    assert_eq!(kept_for(&node.sandbox, &node.second), second);
    let bytes = fs::read(node.sandbox.database()).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(!hex.contains(blob.trim()), "nothing of it is left");
    let history = node.sandbox.run(&["history"]).expect(0);
    assert_eq!(history.text("/history/0/event"), "token_forgotten");
    let detail = history.text("/history/0/detail");
    assert!(detail.contains(&node.first), "{detail}");

    node.sandbox.new_container();
    node.is_ready();
    node.swap();
    let run = node.sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    let said = forget(&node.sandbox, &node.first).expect_error(2, "usage");
    assert!(said.contains(&node.second), "{said}");
}

/// The token is stolen, and there is no other one yet.
#[test]
fn a_stolen_token_is_forgotten_before_the_node_is_recovered() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let serial = serials(&sandbox);
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let run = forget(&sandbox, &serial).expect(0);
    assert!(
        run.warnings().contains("the backup password alone does"),
        "{}",
        run.warnings()
    );
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
    );
    sandbox.run(&["keys", "show"]).expect(0);
    sandbox.run_human(&["keys", "show"]).expect(0);
    let run = recover(&sandbox).expect(0);
    assert_eq!(run.report["other_copies"], serde_json::json!([]));
    sandbox.new_container();
    is_ready(&sandbox, &fingerprint);
}

#[test]
fn the_last_way_to_the_dek_is_not_forgotten() {
    let sandbox = Sandbox::softhsm_without_password();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let first = serials(&sandbox);
    let arguments = ["keys", "forget-token", &first, "--yes"];
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("set-backup-password"), "{said}");
    // Its token is away, and the cache is no way that lasts.
    sandbox.lose_token();
    let said = sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("last way"), "{said}");
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    // Another token has the DEK now, and proves it.
    sandbox.lose_runtime();
    forget(&sandbox, &first).expect(0);
    is_ready(&sandbox, &fingerprint);
}

/// A second copy proves nothing while its own token is away, or its KEK is gone.
#[test]
fn a_copy_that_nothing_opens_is_no_other_way() {
    let node = TwoTokens::new();
    node.sandbox
        .sql("UPDATE sealing SET bek_encrypted_dek = NULL, bek_set_at = NULL");
    node.sandbox.delete_keks();
    let arguments = ["keys", "forget-token", &node.first, "--yes"];
    let said = node.sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("last way"), "{said}");
    node.swap();
    node.is_ready();
}

#[test]
fn the_token_in_use_is_forgotten_only_with_a_password_that_is_proven() {
    let node = TwoTokens::new();
    let arguments = ["keys", "forget-token", &node.second, "--yes"];
    let said = node.sandbox.fails_unchanged(&arguments, 78, "config");
    assert!(said.contains("--backup-password-file"), "{said}");
    let before = node.sandbox.picture();
    let wrong = "wrong horse battery staple";
    forget_with_password(&node.sandbox, &node.second, wrong).expect_error(77, "denied");
    assert_eq!(node.sandbox.picture(), before);
    forget_with_password(&node.sandbox, &node.second, PASSWORD).expect(0);
    node.sandbox.new_container();
    let run = node.sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    recover(&node.sandbox).expect(0);
    node.sandbox.new_container();
    node.is_ready();
}

#[test]
fn a_token_that_cannot_be_asked_is_no_token_that_is_away() {
    let mut node = TwoTokens::new();
    node.sandbox
        .set("TRUSTPOINT_HSM_MODULE", "/nonexistent/module.so");
    for serial in [node.first.clone(), node.second.clone()] {
        let run = forget(&node.sandbox, &serial);
        assert_ne!(run.code, 0, "{}", run.stdout);
        assert!(serials(&node.sandbox).contains(&serial));
    }
    // A password that is proven needs no token.
    forget_with_password(&node.sandbox, &node.first, PASSWORD).expect(0);
    node.sandbox.unset("TRUSTPOINT_HSM_MODULE");
    node.sandbox.new_container();
    node.is_ready();
}

#[test]
fn without_a_terminal_forgetting_needs_yes() {
    let node = TwoTokens::new();
    let arguments = ["keys", "forget-token", &node.first];
    let said = node.sandbox.fails_unchanged(&arguments, 2, "usage");
    assert!(said.contains("--yes"), "{said}");
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
    node.sandbox.run(&["backup", "restore", &file]).expect(0);
    node.is_ready();
}

/// A node as a program whose schema was number 6 has left it: database, backup and token.
fn of_schema_6() -> Sandbox {
    let sandbox = Sandbox::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/schema_6");
    fs::create_dir_all(sandbox.database().parent().unwrap()).unwrap();
    let database = sandbox.database();
    fs::copy(from.join("trustpoint.db"), &database).unwrap();
    tool("chmod", ["600".as_ref(), database.as_os_str()]);
    fs::remove_dir(sandbox.path("tokens")).unwrap();
    let (saved, tokens) = (from.join("tokens"), sandbox.path("tokens"));
    tool("cp", ["-r".as_ref(), saved.as_os_str(), tokens.as_os_str()]);
    fs::copy(from.join("node.backup"), sandbox.path("6.backup")).unwrap();
    sandbox
}

/// The certificate of that node.
const FINGERPRINT_6: &str = "D1:8C:4C:49:56:36:AE:57:37:A6:67:35:75:B3:0C:0D:24:D3:EA:29:E5:A3:77:\
                             1D:37:69:7A:4F:F4:A1:DF:DB";

#[test]
fn a_node_of_schema_6_loses_no_key() {
    let sandbox = of_schema_6();
    let columns = "SELECT hex(encrypted_dek) FROM pkcs11_token UNION ALL \
                   SELECT hex(key_id) || state FROM pkcs11_key";
    let (wrapped, password) = (
        sandbox.sql(columns),
        sandbox.sql("SELECT hex(bek_encrypted_dek), bek_set_at FROM pkcs11_token"),
    );
    assert_eq!(sandbox.run(&["status"]).expect(0).outcome(), "ready");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
    assert_eq!(run.step("snapshot_database"), "done");
    assert_eq!(run.fingerprint(), FINGERPRINT_6);
    assert_eq!(sandbox.sql(columns), wrapped);
    let after = sandbox.sql("SELECT hex(bek_encrypted_dek), bek_set_at FROM sealing");
    assert_eq!(after, password);
    sandbox.new_container();
    is_ready(&sandbox, FINGERPRINT_6);
    let run = sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(run.report["keys"]["copies"][0]["in_use"], true);
    let unknown = serde_json::Value::Null;
    assert_eq!(run.report["keys"]["copies"][0]["wrapped_at"], unknown);
    // Both ways work: the token did, and the password does.
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let run = recover(&sandbox).expect(0);
    assert_eq!(run.fingerprint(), FINGERPRINT_6);
    sandbox.bring_token_back();
    sandbox.new_container();
    is_ready(&sandbox, FINGERPRINT_6);
}

#[test]
fn a_backup_of_schema_6_verifies_and_is_restored() {
    let sandbox = of_schema_6();
    fs::remove_file(sandbox.database()).unwrap();
    let file = sandbox.path("6.backup").display().to_string();
    let run = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(run.text("/backup/opens_with/token/answer"), "yes");
    assert_eq!(run.text("/backup/kek_ids/0"), run.text("/backup/kek_id"));
    sandbox.run(&["backup", "restore", &file]).expect(0);
    is_ready(&sandbox, FINGERPRINT_6);
}
