//! What a node has come to, in terms that two nodes can be compared by.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};
use crate::sandbox::{Ended, Sandbox};

const KEY: &str = "etc/trustpoint/tls/nginx-tls-server-key.key";
const CERTIFICATE: &str = "etc/trustpoint/tls/nginx-tls-server-cert.pem";
const WIZARD: &str = "etc/trustpoint/wizard/state";
const DATABASE: &str = "var/lib/trustpoint/trustpoint.db";
const DEK: &str = "run/trustpoint";

/// Keys and fingerprints differ from node to node; how they stand to one another does not.
#[derive(Debug, Eq, PartialEq)]
pub struct State {
    outcome: String,
    startup_scenario: String,
    restore_scenario: String,
    /// Source of the TLS set, by the report.
    tls_source: String,
    /// The files of the wizard's state directory.
    wizard: Vec<String>,
    /// Rows of the database, by table.
    rows: String,
    /// How many private files the runtime directory holds beside the report.
    cached: usize,
}

impl State {
    /// Looks at the node after `last`, its last start.
    ///
    /// # Errors
    /// What is wrong on a node of any kind: Nginx has no pair that matches, the report names
    /// another certificate, the key is open to others, or the database is damaged.
    pub fn of(node: &Sandbox, last: &Ended) -> Result<Self> {
        let tls = last.field("tls");
        let of_tls = |name: &str| {
            tls.get(name)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        check_pair(node, &of_tls("sha256_fingerprint"))?;
        check_database(node)?;
        Ok(Self {
            outcome: last.text("outcome"),
            startup_scenario: last.text("startup_scenario"),
            restore_scenario: last.text("restore_scenario"),
            tls_source: of_tls("source"),
            wizard: names(&node.join(WIZARD))?,
            rows: rows(node)?,
            cached: names(&node.join(DEK))?
                .iter()
                .filter(|name| *name != "startup.json")
                .count(),
        })
    }

    /// Whether this is the node whose token is lost, with the database of the undisturbed one.
    pub fn waits_for_the_password(&self, undisturbed: &Self) -> bool {
        self.restore_scenario == "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED"
            && self.outcome == "recovery_required"
            && self.wizard == ["WIZARD_AUTO_RESTORE_PASSWORD"]
            && self.rows == undisturbed.rows
            && self.cached == 0
    }
}

/// Whether SoftHSM left a token whose file is empty.
pub fn has_emptied_token(node: &Sandbox) -> Result<bool> {
    let tokens = node.join("tokens");
    for name in names(&tokens)? {
        let file = tokens.join(name).join("token.object");
        if std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() == 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_pair(node: &Sandbox, reported: &str) -> Result<()> {
    let openssl = |arguments: &[&str], file: &str| {
        run::text_of(
            Command::new("openssl")
                .args(arguments)
                .arg("-in")
                .arg(node.join(file)),
        )
    };
    let of_certificate = openssl(&["x509", "-noout", "-pubkey"], CERTIFICATE)?;
    let of_key = openssl(&["pkey", "-pubout"], KEY)?;
    if of_certificate != of_key {
        return Err("Nginx has a key that is not its certificate's".to_owned());
    }
    let fingerprint = openssl(&["x509", "-noout", "-fingerprint", "-sha256"], CERTIFICATE)?;
    if !fingerprint.ends_with(&format!("={reported}")) {
        return Err(format!(
            "Nginx has {fingerprint}, the report says {reported}"
        ));
    }
    let key = node.join(KEY);
    let mode = std::fs::metadata(&key)
        .map_err(|error| format!("{}: {error}", key.display()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(format!("the key's mode is {:o}", mode & 0o777));
    }
    Ok(())
}

fn ask(node: &Sandbox, question: &str) -> Result<String> {
    run::text_of(
        Command::new("sqlite3")
            .arg("-readonly")
            .arg(node.join(DATABASE))
            .arg(question),
    )
}

fn check_database(node: &Sandbox) -> Result<()> {
    match ask(node, "PRAGMA integrity_check; PRAGMA foreign_key_check;")? {
        right if right == "ok" => Ok(()),
        wrong => Err(format!("the database is damaged: {wrong}")),
    }
}

fn rows(node: &Sandbox) -> Result<String> {
    ask(
        node,
        "SELECT 'version', count(*), min(version) FROM app_version
         UNION ALL SELECT 'storage', count(*), min(storage_type) FROM key_storage_config
         UNION ALL SELECT 'credentials', count(*), '' FROM credential
         UNION ALL SELECT 'active', count(*), '' FROM active_tls_server_credential
         UNION ALL SELECT 'tokens', count(*), '' FROM pkcs11_token",
    )
    .map(|rows| rows.replace('\n', ", "))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let in_words = |error: std::io::Error| format!("{}: {error}", directory.display());
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(in_words)? {
        let name = entry.map_err(in_words)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
