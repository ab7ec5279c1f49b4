//! The corrections to the reference, C1 to C23, each seen through the program. C18 is in
//! `pin_budget`.

mod credentials;
mod database;
mod lock;
mod recovery;
mod secrets;
mod tls;
mod traces;
mod unreachable;
mod upgrade;
mod wizard;
mod wrapping;

use std::path::{Path, PathBuf};

use adapters_db::{PostgresDatabase, SqliteDatabase, Target};
use adapters_fs::SelfSignedIssuer;
use camino::Utf8PathBuf;
use ports::contract::store::event;
use ports::{CredentialOrigin, CredentialStore, EventKind, NewCredential, TlsIssuer as _};
use time::{Duration, OffsetDateTime};

use crate::sandbox::{Sandbox, tool};

/// A ready SoftHSM node whose token and container are both lost.
fn lost(sandbox: Sandbox) -> Sandbox {
    sandbox.lose_token();
    sandbox.lose_runtime();
    sandbox
}

/// Saves a credential made `age` ago as the active one of a software node; its fingerprint.
pub fn save_credential(sandbox: &Sandbox, age: Duration) -> String {
    let at = OffsetDateTime::now_utc() - age;
    let credential = SelfSignedIssuer.issue(&["127.0.0.1".into()], at).unwrap();
    let facts = SelfSignedIssuer.inspect(&credential).unwrap();
    let utf8 = |path: PathBuf| Utf8PathBuf::try_from(path).unwrap();
    let snapshots = utf8(sandbox.root("var/lib/trustpoint/snapshots"));
    let file = utf8(sandbox.database());
    let credentials: Box<dyn CredentialStore> = match sandbox.place_on_server() {
        None => Box::new(SqliteDatabase::new(file, snapshots, false)),
        Some((url, schema)) => {
            let target = Target {
                address: url.parse().unwrap(),
                schema: schema.parse().unwrap(),
                node: "tests".to_owned(),
                wait: std::time::Duration::from_secs(10),
                password: Box::new(|| Ok(None)),
                ask: Box::new(|| Ok(None)),
                waiting: Box::new(|_| ()),
            };
            Box::new(PostgresDatabase::new(target, file, snapshots))
        }
    };
    credentials
        .save_active(
            &NewCredential {
                credential: &credential,
                facts: &facts,
                origin: CredentialOrigin::Generated,
            },
            None,
            &event(EventKind::CertificateMade, at),
        )
        .unwrap();
    facts.sha256_fingerprint
}

/// Nginx could start with what stands in its directory: the key is the certificate's.
#[track_caller]
fn assert_usable(sandbox: &Sandbox) {
    let key = sandbox.tls("nginx-tls-server-key.key");
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    let key = tool("openssl", ["pkey", "-pubout", "-in", text(&key)]);
    let certificate = [
        "x509",
        "-noout",
        "-pubkey",
        "-checkend",
        "0",
        "-in",
        text(&certificate),
    ];
    let certificate = tool("openssl", certificate);
    assert!(
        certificate.starts_with(&key),
        "{key} is not of {certificate}"
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How many rows a table has.
#[track_caller]
fn rows(sandbox: &Sandbox, table: &str) -> usize {
    let count = sandbox.sql(&format!("SELECT count(*) FROM {table}"));
    count.trim().parse().unwrap()
}
