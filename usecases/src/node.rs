//! A node as a set of ports.
//!
//! Every use case (`startup`, `setup`, …) takes a [`Node`], so that a terminal, a web page or a
//! test is only one more way to call it.

use std::time::Duration;

use domain::Version;
use ports::{
    Backups, Clock, CredentialStore, DekBlobs, DekCache, DekCrypto, Event, EventKind, FileSystem,
    History, Messages, NodeStore, Output, Pins, StartLock, StaticFiles, TlsIssuer, TlsStore,
    TokenModule, WebServer, WizardStore,
};

/// What a use case has to know beside the ports.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Version of this application.
    pub app_version: Version,
    /// Host name of the container.
    pub container_id: String,
    /// Name of the node among those that share its database.
    pub node_id: String,
    /// The user that runs this, as a number.
    pub user_id: u32,
    /// Label of the token.
    pub token_label: String,
    /// Serial number of the token, where the configuration asks for one.
    pub token_serial: Option<String>,
    /// Path of the module, for the record.
    pub module_path: String,
    /// Whether somebody configured an HSM, or the default module is there.
    pub hsm_expected: bool,
    /// Whether somebody configured an HSM.
    pub hsm_configured: bool,
    /// How long to wait for the HSM.
    pub hsm_wait: Duration,
    /// Whether somebody opted in to physical HSMs.
    pub physical_hsm: bool,
    /// Names and addresses in a generated certificate.
    pub san: Vec<String>,
    /// Whether somebody configured them.
    pub san_configured: bool,
    /// Path of the database, or the address of its server, for messages.
    pub database_path: String,
    /// The directory of the lock and of the ledger of PIN tries: the database's where that is a
    /// file.
    pub lock_directory: String,
}

/// One node: its ports, in groups.
pub struct Node {
    /// The database.
    pub store: Store,
    /// The token, and the DEK that it wraps.
    pub secrets: Secrets,
    /// What Nginx serves.
    pub web: Web,
    /// The machine that the node runs on.
    pub host: Host,
    /// What else is to be known.
    pub settings: Settings,
}

impl Node {
    /// What is done now, for the history.
    #[must_use]
    pub fn event(&self, kind: EventKind, detail: impl Into<String>) -> Event {
        Event {
            at: self.host.clock.now(),
            version: self.settings.app_version.to_string(),
            container_id: self.settings.container_id.clone(),
            node: self.settings.node_id.clone(),
            user_id: self.settings.user_id,
            kind,
            detail: detail.into(),
        }
    }
}

/// The ports of the node's database.
pub struct Store {
    /// The node's record, and the migrations.
    pub record: Box<dyn NodeStore>,
    /// The TLS server credentials.
    pub credentials: Box<dyn CredentialStore>,
    /// Snapshots and backups.
    pub backups: Box<dyn Backups>,
    /// The history.
    pub history: Box<dyn History>,
    /// The lock of a database that nodes share; the one of the machine is enough where a database
    /// is one node's alone.
    pub lock: Option<Box<dyn StartLock>>,
}

impl Store {
    /// Whether the database is one on a server that nodes share, and no file of this node.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.lock.is_some()
    }
}

/// The ports of the token, and of the DEK that it wraps.
pub struct Secrets {
    /// The PKCS#11 module.
    pub module: Box<dyn TokenModule>,
    /// What a wrapped DEK says of itself.
    pub blobs: Box<dyn DekBlobs>,
    /// The PINs.
    pub pins: Box<dyn Pins>,
    /// Cryptography with the DEK.
    pub crypto: Box<dyn DekCrypto>,
    /// The DEK in memory-backed storage.
    pub cache: Box<dyn DekCache>,
}

/// The ports of what Nginx serves.
pub struct Web {
    /// Its TLS directory.
    pub tls: Box<dyn TlsStore>,
    /// Makes and reads TLS credentials.
    pub issuer: Box<dyn TlsIssuer>,
    /// Static files.
    pub static_files: Box<dyn StaticFiles>,
    /// Message catalogues.
    pub messages: Box<dyn Messages>,
    /// The web server itself.
    pub server: Box<dyn WebServer>,
}

/// The ports of the machine.
pub struct Host {
    /// The state of the setup wizard.
    pub wizard: Box<dyn WizardStore>,
    /// Rights and free space of paths.
    pub file_system: Box<dyn FileSystem>,
    /// One start at a time.
    pub lock: Box<dyn StartLock>,
    /// The time.
    pub clock: Box<dyn Clock>,
    /// Where progress goes.
    pub output: Box<dyn Output>,
}
