//! The schema before there was a copy for each token.

use std::fs;
use std::path::Path;

use super::{is_ready, recover};
use crate::sandbox::{Sandbox, tool};

/// A node as a program whose schema was number 6 has left it: database, backup and token.
pub fn node() -> Sandbox {
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
    let sandbox = node();
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
    let sandbox = node();
    fs::remove_file(sandbox.database()).unwrap();
    let file = sandbox.path("6.backup").display().to_string();
    let run = sandbox.run(&["backup", "verify", &file]).expect(0);
    assert_eq!(run.text("/backup/opens_with/token/answer"), "yes");
    assert_eq!(run.text("/backup/kek_ids/0"), run.text("/backup/kek_id"));
    sandbox.run(&["backup", "restore", &file]).expect(0);
    is_ready(&sandbox, FINGERPRINT_6);
}
