//! How the real node is wired: the only place that names adapters.

use std::rc::Rc;

use adapters_db::{RingDekCrypto, SqliteDatabase, Watch};
use adapters_fs::{
    DekCacheFile, FileLock, LocalFileSystem, MessageCompiler, NginxTls, PinMemoryFile,
    ReloadCommand, SelfSignedIssuer, StaticCollector, WizardDir,
};
use adapters_hsm::{HsmConfig, Pkcs11Blobs, Pkcs11Module};
use ports::{PinError, Pins, Secret, SystemClock};
use usecases::node::{Host, Node, Secrets, Settings, Store, Web};

use crate::config::{Config, SecretFiles};
use crate::console::Console;
use crate::failure::Failure;
use crate::progress;

impl Pins for SecretFiles {
    fn user_pin(&self) -> Result<Secret, PinError> {
        Ok(Self::user_pin(self)?)
    }

    fn so_pin(&self) -> Result<Secret, PinError> {
        Ok(Self::so_pin(self)?)
    }
}

/// Whether a command may write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// `status`, `history`, `--dry-run`: nothing is changed or created.
    ReadOnly,
    /// Everything else, under the lock.
    ReadWrite,
}

/// Wires the real node.
///
/// # Errors
/// [`ports::FaultKind::Config`] for an address that does not parse.
pub fn wire(config: &Config, access: Access, console: Console) -> Result<Node, Failure> {
    // A configured database whose directory is missing is a volume that was not mounted; a
    // default path below a fresh --root is simply new.
    let create_parents = !config.database.is_explicit();
    let path = config.database.value.clone();
    let snapshots = config.snapshots.value.clone();
    let database = match access {
        Access::ReadOnly => SqliteDatabase::read_only(path, snapshots, create_parents),
        Access::ReadWrite => SqliteDatabase::new(path, snapshots, create_parents),
    }
    .watched(Watch::new(progress::watch(console)));
    let hsm = Pkcs11Module::new(
        HsmConfig {
            module: config.hsm_module.value.clone(),
            module_init: config.hsm_module_init.value.clone(),
            daemon: config.daemon()?,
            call_deadline: config.hsm_wait.value,
        },
        Box::new(
            PinMemoryFile::new(config.beside_database("pin-rejected"))
                .creating_parents(create_parents),
        ),
        Rc::new(crate::process::ModuleCalls),
    );
    let hsm_configured = config.hsm_module.is_explicit() || config.hsm_daemon.is_explicit();
    Ok(Node {
        store: Store {
            record: Box::new(database.clone()),
            credentials: Box::new(database.clone()),
            backups: Box::new(database.clone()),
            history: Box::new(database),
        },
        secrets: Secrets {
            module: Box::new(hsm),
            blobs: Box::new(Pkcs11Blobs),
            pins: Box::new(config.secrets.clone()),
            crypto: Box::new(RingDekCrypto),
            cache: Box::new(DekCacheFile::new(
                config.runtime_dir.value.clone(),
                config.allow_non_tmpfs.value,
            )),
        },
        web: Web {
            tls: Box::new(NginxTls::new(config.tls_dir.value.clone())),
            issuer: Box::new(SelfSignedIssuer),
            static_files: Box::new(StaticCollector::new(
                config.static_sources.value.clone(),
                config.static_root.value.clone(),
            )),
            messages: Box::new(MessageCompiler::new(
                config.message_dirs.value.clone(),
                config.message_languages.value.clone(),
            )),
            server: Box::new(ReloadCommand::new(config.nginx_reload.value.clone())),
        },
        host: Host {
            wizard: Box::new(WizardDir::new(config.wizard_state_dir.value.clone())),
            file_system: Box::new(LocalFileSystem),
            lock: Box::new(FileLock::new(lock_path(config), create_parents)),
            clock: Box::new(SystemClock),
            output: Box::new(console),
        },
        settings: Settings {
            app_version: config.app_version.value.clone(),
            container_id: crate::process::host_name(),
            user_id: crate::process::user_id(),
            token_label: config.hsm_token_label.value.clone(),
            token_serial: config.hsm_token_serial.value.clone(),
            module_path: config.hsm_module.value.to_string(),
            hsm_expected: hsm_configured || config.hsm_module.value.exists(),
            hsm_configured,
            hsm_wait: config.hsm_wait.value,
            physical_hsm: config.hsm_physical.value,
            san: config.tls_san.value.clone(),
            san_configured: config.tls_san.is_explicit(),
            database_path: config.database.value.to_string(),
        },
    })
}

/// The lock stands beside the database, under its name.
fn lock_path(config: &Config) -> camino::Utf8PathBuf {
    let name = config.database.value.file_name().unwrap_or("trustpoint.db");
    config.beside_database(&format!("{name}.lock"))
}
