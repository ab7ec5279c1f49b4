//! Backups of the first format, whose manifest is a table in the database.

use std::fs;

use super::{create, restore, sql_in};
use crate::sandbox::{Sandbox, tool};

/// Makes one as the program of that time did.
fn of_the_first_format(sandbox: &Sandbox) -> String {
    let file = sandbox.path("first.backup").display().to_string();
    let of_now = create(sandbox, "now.backup");
    let said = sandbox.run(&["backup", "verify", &of_now]).expect(0);
    let _ = fs::remove_file(&file);
    sql_in(&of_now, &format!("VACUUM INTO '{file}'"));
    let placeholder = "0123456789abcdef".repeat(4);
    let text = |name: &str| said.text(&format!("/backup/{name}"));
    let yes_no = |name: &str| {
        let is_so = said.report["backup"][name] == true;
        if is_so { "yes" } else { "no" }.to_owned()
    };
    let mut script = "CREATE TABLE backup_manifest (name TEXT, value TEXT);".to_owned();
    for (name, value) in [
        ("format", "1".to_owned()),
        ("application_version", text("application_version")),
        ("schema", text("schema")),
        ("created_at", text("created_at")),
        ("installation_id", text("installation_id")),
        ("storage", text("storage")),
        ("kek_id", text("kek_id")),
        ("dek_check_value", text("dek_check_value")),
        ("backup_password_set", yes_no("backup_password_set")),
        ("setup_completed", yes_no("setup_completed")),
        ("sha256", placeholder.clone()),
    ] {
        script.push_str(&format!(
            "INSERT INTO backup_manifest VALUES ('{name}', '{value}');"
        ));
    }
    sql_in(&file, &script);
    let seal = "digest=$(sed \"s/$1/$(printf '0%.0s' $(seq 64))/\" \"$2\" | sha256sum | cut -c1-64) \
                && sed -i \"s/$1/$digest/\" \"$2\"";
    tool("sh", ["-c", seal, "sh", &placeholder, &file]);
    file
}

#[test]
fn one_still_verifies_and_restores() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
        let file = of_the_first_format(&sandbox);
        let run = sandbox.run(&["backup", "verify", &file]).expect(0);
        assert_eq!(run.report["backup"]["format"], 1);
        assert!(
            !run.warnings().contains("no manifest"),
            "{}",
            run.warnings()
        );
        sandbox.run(&["tls", "renew"]).expect(0);
        restore(&sandbox, &file).expect(0);
        assert!(!sandbox.tables().contains("backup_manifest"));
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.fingerprint(), fingerprint);
        let run = restore(&sandbox, &file).expect(0);
        assert_ne!(run.step("keep_replaced"), "failed");
    }
}

#[test]
fn one_that_was_altered_is_refused() {
    let sandbox = Sandbox::software();
    for edit in [
        "UPDATE key_storage_config SET storage_type = 'softhsm'",
        "UPDATE backup_manifest SET value = 'softhsm' WHERE name = 'storage'",
        "UPDATE backup_manifest SET value = '2' WHERE name = 'format'",
        "DELETE FROM backup_manifest WHERE name = 'sha256'",
        "DELETE FROM backup_manifest",
        "VACUUM",
    ] {
        let file = of_the_first_format(&sandbox);
        sql_in(&file, edit);
        for command in ["verify", "restore"] {
            let arguments = ["backup", command, &file];
            let said = sandbox.fails_unchanged(&arguments, 65, "data_corrupt");
            assert!(said.contains("manifest"), "{edit}: {said}");
        }
        fs::remove_file(sandbox.path("now.backup")).unwrap();
    }
    let file = of_the_first_format(&sandbox);
    let bytes = fs::read(&file).unwrap();
    for place in (0..bytes.len()).step_by(bytes.len() / 20) {
        let mut altered = bytes.clone();
        altered[place] ^= 1 << (place % 8);
        crate::sandbox::put(file.as_ref(), &altered);
        sandbox.fails_unchanged(&["backup", "restore", &file], 65, "data_corrupt");
    }
}
