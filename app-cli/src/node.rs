//! A node as a set of ports, and how the real one is wired.
//!
//! Every use case (`startup`, `setup`, …) takes a [`Node`], so that a terminal, a web page or a
//! test is only one more way to call it.

use std::rc::Rc;
use std::time::Duration;

use adapters_db::{Seals, SqliteBackups, SqliteDatabase};
use adapters_fs::{
    AgeFiles, DekCacheFile, FileLock, FileSystem, MessageCompiler, NginxTls, PinMemoryFile,
    ReloadCommand, SelfSignedIssuer, StaticCollector, WizardDir,
};
use adapters_hsm::{HsmConfig, Pkcs11Hsm};
use domain::Version;
use ports::{
    BackupCipher, Backups, Clock, Credentials, Database, DekCache, DekSeals, Fault, Hsm, Messages,
    Output, Places, Secret, StartLock, StaticFiles, SystemClock, TlsIssuer, TlsStore, WebServer,
    WizardStore,
};

use crate::config::{Config, SecretFiles};

/// Where PINs come from.
pub trait Pins {
    /// The user PIN of the token.
    ///
    /// # Errors
    /// [`ports::FaultKind::Denied`] where there is none.
    fn user_pin(&self) -> Result<Secret, Fault>;

    /// The SO PIN of the token.
    ///
    /// # Errors
    /// [`ports::FaultKind::Denied`] where there is none.
    fn so_pin(&self) -> Result<Secret, Fault>;
}

impl Pins for SecretFiles {
    fn user_pin(&self) -> Result<Secret, Fault> {
        Self::user_pin(self)
    }

    fn so_pin(&self) -> Result<Secret, Fault> {
        Self::so_pin(self)
    }
}

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
    /// Backups under a password.
    pub cipher: Box<dyn BackupCipher>,
    /// What is done with a DEK outside the token.
    pub seals: Box<dyn DekSeals>,
    /// The token.
    pub hsm: Box<dyn Hsm>,
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
    pub places: Box<dyn Places>,
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

/// Whether a command may write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// `status`, `history`, `--dry-run`: nothing is changed or created.
    ReadOnly,
    /// Everything else, under the lock.
    ReadWrite,
}

impl Node {
    /// Wires the real node.
    ///
    /// # Errors
    /// [`ports::FaultKind::Config`] for an address that does not parse.
    pub fn wire(config: &Config, access: Access, output: Box<dyn Output>) -> Result<Self, Fault> {
        // A configured database whose directory is missing is a volume that was not mounted; a
        // default path below a fresh --root is simply new.
        let create_parents = !config.database.is_explicit();
        let database = || {
            let path = config.database.value.clone();
            let snapshots = config.snapshots.value.clone();
            match access {
                Access::ReadOnly => SqliteDatabase::read_only(path, snapshots)
                    .parents_may_be_missing(create_parents),
                Access::ReadWrite => SqliteDatabase::new(path, snapshots, create_parents),
            }
        };
        let hsm = Pkcs11Hsm::new(
            HsmConfig {
                module: config.hsm_module.value.clone(),
                daemon: config.daemon()?,
                call_deadline: config.hsm_wait.value,
            },
            Box::new(PinMemoryFile::new(config.beside_database("pin-rejected"))),
            Rc::new(crate::process::Signals),
        );
        let hsm_configured = config.hsm_module.is_explicit() || config.hsm_daemon.is_explicit();
        Ok(Self {
            database: Box::new(database()),
            credentials: Box::new(database()),
            backups: Box::new(SqliteBackups::new(
                config.database.value.clone(),
                config.snapshots.value.clone(),
                create_parents,
            )),
            cipher: Box::new(AgeFiles),
            seals: Box::new(Seals),
            hsm: Box::new(hsm),
            pins: Box::new(config.secrets.clone()),
            wizard: Box::new(WizardDir::new(config.wizard_state_dir.value.clone())),
            tls: Box::new(NginxTls::new(config.tls_dir.value.clone())),
            issuer: Box::new(SelfSignedIssuer),
            dek_cache: Box::new(DekCacheFile::new(
                config.runtime_dir.value.clone(),
                config.allow_non_tmpfs.value,
            )),
            static_files: Box::new(StaticCollector::new(
                config.static_sources.value.clone(),
                config.static_root.value.clone(),
            )),
            messages: Box::new(MessageCompiler::new(
                config.message_dirs.value.clone(),
                config.message_languages.value.clone(),
            )),
            places: Box::new(FileSystem),
            web_server: Box::new(ReloadCommand::new(config.nginx_reload.value.clone())),
            lock: Box::new(FileLock::new(lock_path(config), create_parents)),
            clock: Box::new(SystemClock),
            output,
            settings: Settings {
                app_version: config.app_version.value.clone(),
                container_id: crate::process::host_name(),
                token_label: config.hsm_token_label.value.clone(),
                token_serial: config.hsm_token_serial.value.clone(),
                module_path: config.hsm_module.value.to_string(),
                hsm_expected: hsm_configured || config.hsm_module.value.exists(),
                hsm_configured,
                hsm_wait: config.hsm_wait.value,
                san: config.tls_san.value.clone(),
                san_configured: config.tls_san.is_explicit(),
                database_path: config.database.value.to_string(),
            },
        })
    }
}

/// The lock stands beside the database, under its name.
fn lock_path(config: &Config) -> camino::Utf8PathBuf {
    let name = config.database.value.file_name().unwrap_or("trustpoint.db");
    config.beside_database(&format!("{name}.lock"))
}
