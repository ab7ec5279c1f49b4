//! Each of the sixteen scenarios, produced through the program.

pub mod physical;
mod softhsm;
mod software;
mod version;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::sandbox::{Run, Sandbox, openssl_fingerprint, tool};

/// The steps that every start of a database begins with.
const INITIALISE: &str = "migrate_database collect_static_files compile_messages";

/// What a start that was carried out must have said and done.
struct Expected<'a> {
    startup: &'a str,
    restore: Option<&'a str>,
    outcome: &'a str,
    /// `wizard_state`, `wizard_state_raw`, `storage_type`, `dek_cache_state`, `has_kek`,
    /// `has_backup_encrypted_dek`.
    context: [Value; 6],
    /// After [`INITIALISE`].
    steps: &'a str,
    tls: &'a str,
    /// The name in the wizard's directory.
    wizard: &'a str,
    dek_cached: bool,
    /// Whether the start wrote its row, as all do but those that must leave the database alone.
    recorded: bool,
}

impl Expected<'_> {
    /// Holds the report, the database, the TLS files, the wizard state and the DEK cache against
    /// what was expected.
    #[track_caller]
    fn check(&self, sandbox: &Sandbox, run: &Run) {
        assert_eq!(run.startup_scenario(), self.startup);
        assert_eq!(run.report["restore_scenario"], json!(self.restore));
        assert_eq!(run.outcome(), self.outcome);
        assert_eq!(run.report["exit_code"], 0);
        assert_eq!(run.report["error"], Value::Null);
        assert!(!run.text("/description").is_empty());
        assert_eq!(run.report["context"], self.context_report());
        assert_eq!(step_names(run), self.step_names());
        assert_eq!(run.tls_source(), self.tls);
        assert_nginx_has(sandbox, &run.fingerprint());
        assert_eq!(sandbox.wizard(), self.wizard);
        assert_dek_cache(sandbox, self.dek_cached);
        if self.recorded {
            self.check_history(sandbox, run);
        }
    }

    fn context_report(&self) -> Value {
        let [wizard, raw, storage, dek, kek, backup] = self.context.clone();
        json!({
            "db_initialized": self.startup != "DB_NOT_INITIALIZED",
            "wizard_state": wizard,
            "wizard_state_raw": raw,
            "storage_type": storage,
            "dek_cache_state": dek,
            "has_kek": kek,
            "has_backup_encrypted_dek": backup,
        })
    }

    fn step_names(&self) -> String {
        // The token is opened before anything is decided.
        let has_token = self.context[2] == "softhsm" || self.context[2] == "physical_hsm";
        let token = match (has_token, self.outcome) {
            (true, "ready") => "check_hsm unwrap_dek ",
            (true, _) => "check_hsm ",
            (false, _) => "",
        };
        let snapshot = if self.startup == "VERSION_UPGRADE" {
            "snapshot_database "
        } else {
            ""
        };
        let end = if self.recorded { " record_start" } else { "" };
        format!("{token}{snapshot}{INITIALISE} {}{end}", self.steps)
    }

    #[track_caller]
    fn check_history(&self, sandbox: &Sandbox, run: &Run) {
        let row = sandbox.sql(
            "SELECT startup_scenario, coalesce(restore_scenario, ''), outcome, version
             FROM startup_history ORDER BY id DESC LIMIT 1",
        );
        let restore = self.restore.unwrap_or_default();
        let version = run.text("/version/current");
        let expected = format!("{}|{restore}|{}|{version}", self.startup, self.outcome);
        assert_eq!(row.trim(), expected);
        assert_eq!(
            sandbox.sql("SELECT version FROM app_version").trim(),
            version
        );
    }
}

fn step_names(run: &Run) -> String {
    let steps = run.report["steps"].as_array().cloned().unwrap_or_default();
    let names: Vec<_> = steps
        .iter()
        .map(|step| {
            let result = step["result"].as_str().unwrap();
            assert!(["done", "unchanged", "skipped"].contains(&result), "{step}");
            step["step"].as_str().unwrap()
        })
        .collect();
    names.join(" ")
}

/// What Nginx has is the certificate of the report with its own key, which is the user's alone.
#[track_caller]
fn assert_nginx_has(sandbox: &Sandbox, fingerprint: &str) {
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    let key = sandbox.tls("nginx-tls-server-key.key");
    assert_eq!(openssl_fingerprint(&certificate), fingerprint);
    let of_certificate = ["x509", "-noout", "-pubkey", "-in", path(&certificate)];
    let of_key = ["pkey", "-pubout", "-in", path(&key)];
    assert_eq!(tool("openssl", of_certificate), tool("openssl", of_key));
    assert_eq!(mode(&key), 0o600);
}

#[track_caller]
fn assert_dek_cache(sandbox: &Sandbox, cached: bool) {
    let cache = sandbox.dek_cache();
    assert_eq!(cache.exists(), cached, "{}", cache.display());
    if cached {
        assert_eq!(fs::read(&cache).unwrap().len(), 32);
        assert_eq!(mode(&cache), 0o600);
    }
}

/// The active credential's fingerprint, as the database has it.
fn active_fingerprint(sandbox: &Sandbox) -> String {
    let row = sandbox.sql(
        "SELECT sha256_fingerprint FROM credential
         JOIN active_tls_server_credential AS active ON active.credential_id = credential.id",
    );
    row.trim().to_owned()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}
