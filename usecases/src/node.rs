//! A node as a set of ports.
//!
//! Every use case (`startup`, `setup`, …) takes a [`Node`], so that a terminal, a web page or a
//! test is only one more way to call it.

use std::time::Duration;

use domain::Version;
use ports::{
    Backups, Clock, Credentials, Database, DekBlobs, DekCache, DekSeals, FileSystem, Messages,
    Output, Pins, StartLock, StaticFiles, TlsIssuer, TlsStore, TokenModule, WebServer, WizardStore,
};

/// What a use case has to know beside the ports.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Version of this application.
    pub app_version: Version,
    /// Host name of the container.
    pub container_id: String,
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
    /// Names and addresses in a generated certificate.
    pub san: Vec<String>,
    /// Whether somebody configured them.
    pub san_configured: bool,
    /// Path of the database, for messages.
    pub database_path: String,
}

/// The ports of one node.
pub struct Node {
    /// The database.
    pub database: Box<dyn Database>,
    /// The stored TLS credentials of the same database.
    pub credentials: Box<dyn Credentials>,
    /// Backups of the same database.
    pub backups: Box<dyn Backups>,
    /// What is done with a DEK outside the token.
    pub seals: Box<dyn DekSeals>,
    /// What a wrapped DEK says of itself.
    pub blobs: Box<dyn DekBlobs>,
    /// The module of the token.
    pub hsm: Box<dyn TokenModule>,
    /// The PINs.
    pub pins: Box<dyn Pins>,
    /// The wizard state.
    pub wizard: Box<dyn WizardStore>,
    /// The Nginx directory.
    pub tls: Box<dyn TlsStore>,
    /// Credentials.
    pub issuer: Box<dyn TlsIssuer>,
    /// The DEK cache.
    pub dek_cache: Box<dyn DekCache>,
    /// Static files.
    pub static_files: Box<dyn StaticFiles>,
    /// Rights and room of files and directories.
    pub file_system: Box<dyn FileSystem>,
    /// The web server that serves the TLS set.
    pub web_server: Box<dyn WebServer>,
    /// Message catalogues.
    pub messages: Box<dyn Messages>,
    /// One start at a time.
    pub lock: Box<dyn StartLock>,
    /// The time.
    pub clock: Box<dyn Clock>,
    /// Where progress goes.
    pub output: Box<dyn Output>,
    /// What else is to be known.
    pub settings: Settings,
}
