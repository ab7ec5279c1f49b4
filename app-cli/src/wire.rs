//! How the real node is wired: the only place that names adapters.

use std::rc::Rc;
use std::sync::OnceLock;

use adapters_db::{
    AdvisoryLock, PostgresDatabase, RingDekCrypto, ServerAddress, SqliteDatabase, Target, Watch,
};
use adapters_fs::{
    DekCacheFile, FileLock, LocalFileSystem, MessageCompiler, NginxTls, PinMemoryFile,
    ReloadCommand, SelfSignedIssuer, StaticCollector, WizardDir,
};
use adapters_hsm::{HsmConfig, Pkcs11Blobs, Pkcs11Module};
use ports::{
    Backups, CredentialStore, History, NodeStore, Output as _, PinError, Pins, Secret, StartLock,
    SystemClock,
};
use usecases::node::{Host, Node, Secrets, Settings, Store, Web};

use crate::config::{Config, SecretFiles};
use crate::console::Console;
use crate::failure::Failure;
use crate::{progress, prompt};

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
    wire_with(config, access, console, prompt::database_password)
}

/// The same for a start, which asks nobody: it may have a terminal that no person sits at.
///
/// # Errors
/// As [`wire`].
pub fn wire_start(config: &Config, access: Access, console: Console) -> Result<Node, Failure> {
    wire_with(config, access, console, |_| Ok(None))
}

fn wire_with(
    config: &Config,
    access: Access,
    console: Console,
    ask: AskPassword,
) -> Result<Node, Failure> {
    let (store, database_path) = match config.server.address()? {
        None => (
            in_file(config, access, console),
            config.database.value.to_string(),
        ),
        Some(address) => {
            let name = format!("{address} (schema {})", config.server.schema.value.as_str());
            (on_server(config, address, console, ask), name)
        }
    };
    let hsm = Pkcs11Module::new(
        HsmConfig {
            module: config.hsm_module.value.clone(),
            module_init: config.hsm_module_init.value.clone(),
            daemon: config.daemon()?,
            call_deadline: config.hsm_wait.value,
        },
        Box::new(
            PinMemoryFile::new(config.beside_database("pin-rejected"))
                .creating_parents(may_create_parents(config)),
        ),
        Rc::new(crate::process::ModuleCalls),
    );
    let hsm_configured = config.hsm_module.is_explicit() || config.hsm_daemon.is_explicit();
    Ok(Node {
        store,
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
            lock: Box::new(FileLock::new(lock_path(config), may_create_parents(config))),
            clock: Box::new(SystemClock),
            output: Box::new(console),
        },
        settings: Settings {
            app_version: config.app_version.value.clone(),
            container_id: crate::process::host_name(),
            node_id: node_id(config),
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
            database_path,
            lock_directory: lock_directory(config),
        },
    })
}

/// Asks a person for the password of a database, where there is one to ask.
type AskPassword = fn(&str) -> Result<Option<Secret>, Failure>;

/// A configured database whose directory is missing is a volume that was not mounted; a default path
/// below a fresh --root is simply new.
fn may_create_parents(config: &Config) -> bool {
    !config.database.is_explicit()
}

/// The database of one node, in a file.
fn in_file(config: &Config, access: Access, console: Console) -> Store {
    let path = config.database.value.clone();
    let snapshots = config.snapshots.value.clone();
    let create_parents = may_create_parents(config);
    let database = match access {
        Access::ReadOnly => SqliteDatabase::read_only(path, snapshots, create_parents),
        Access::ReadWrite => SqliteDatabase::new(path, snapshots, create_parents),
    };
    store(database.watched(Watch::new(progress::watch(console))), None)
}

/// The database that nodes share, on a server. Nothing is connected yet.
fn on_server(config: &Config, address: ServerAddress, console: Console, ask: AskPassword) -> Store {
    let secrets = config.secrets.clone();
    let user = address.to_string();
    let asked = OnceLock::new();
    let target = Target {
        address,
        schema: config.server.schema.value.clone(),
        node: node_id(config),
        wait: config.server.wait.value,
        password: Box::new(move || {
            let password = secrets.database_password();
            password.map_err(|failure| failure.report().message)
        }),
        // A person is asked once.
        ask: Box::new(move || match asked.get() {
            Some(password) => Ok(Some(Secret::clone(password))),
            None => match ask(&user).map_err(|failure| failure.report().message)? {
                Some(password) => Ok(Some(asked.get_or_init(|| password).clone())),
                None => Ok(None),
            },
        }),
        waiting: Box::new(move |line| console.info(line)),
    };
    let beside = config.database.value.clone();
    let database = PostgresDatabase::new(target, beside, config.snapshots.value.clone())
        .watched(Watch::new(progress::watch(console)));
    let lock = AdvisoryLock::of(database.clone());
    store(database, Some(Box::new(lock)))
}

fn store<D>(database: D, lock: Option<Box<dyn StartLock>>) -> Store
where
    D: NodeStore + CredentialStore + Backups + History + Clone + 'static,
{
    Store {
        record: Box::new(database.clone()),
        credentials: Box::new(database.clone()),
        backups: Box::new(database.clone()),
        history: Box::new(database),
        lock,
    }
}

/// In a container, a node that nobody gave a name is called by its id.
fn node_id(config: &Config) -> String {
    let name = config.server.node.value.clone();
    name.unwrap_or_else(crate::process::host_name)
}

fn lock_directory(config: &Config) -> String {
    let directory = config.database.value.parent();
    let directory = directory.filter(|directory| !directory.as_str().is_empty());
    directory.map_or(".".to_owned(), ToString::to_string)
}

/// The lock stands beside the database, under its name.
fn lock_path(config: &Config) -> camino::Utf8PathBuf {
    let name = config.database.value.file_name().unwrap_or("trustpoint.db");
    config.beside_database(&format!("{name}.lock"))
}
