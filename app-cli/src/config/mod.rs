//! The configuration: flag, then environment, then file, then default.

mod file;
mod layers;
mod secrets;
mod server;
mod variables;

use std::net::SocketAddr;
use std::time::Duration;

use adapters_hsm::{ConfigValueError, Daemon, TokenUri};
use camino::Utf8PathBuf;
use domain::{DEFAULT_TOKEN_LABEL, Version};
use ports::FaultKind;

pub use layers::{Origin, Setting};
pub use secrets::{SecretFiles, read_password_file};
pub use server::ServerSettings;
pub use variables::{OTHERS as OTHER_VARIABLES, TABLE as VARIABLES};

use crate::cli::Global;
use crate::failure::Failure;
use file::{ConfigFile, Names};
use layers::{Environment, Layers, duration};

/// The merged configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory in front of every default path.
    pub root: Setting<Utf8PathBuf>,
    /// The configuration file.
    pub file: Setting<Utf8PathBuf>,
    /// Version of the application.
    pub app_version: Setting<Version>,
    /// Database file.
    pub database: Setting<Utf8PathBuf>,
    /// The database server that takes the place of that file, where there is one.
    pub server: ServerSettings,
    /// Directory of the snapshots.
    pub snapshots: Setting<Utf8PathBuf>,
    /// Directory of the wizard state.
    pub wizard_state_dir: Setting<Utf8PathBuf>,
    /// Nginx TLS directory.
    pub tls_dir: Setting<Utf8PathBuf>,
    /// Names and addresses in a generated certificate.
    pub tls_san: Setting<Vec<String>>,
    /// Runtime directory.
    pub runtime_dir: Setting<Utf8PathBuf>,
    /// Whether the DEK cache may stand on another file system than a tmpfs.
    pub allow_non_tmpfs: Setting<bool>,
    /// PKCS#11 module.
    pub hsm_module: Setting<Utf8PathBuf>,
    /// Label of the token.
    pub hsm_token_label: Setting<String>,
    /// Serial number of the token, where a URI names it.
    pub hsm_token_serial: Setting<Option<String>>,
    /// The token as one RFC 7512 URI; what it names wins over module and label.
    pub hsm_uri: Setting<Option<String>>,
    /// Daemon to reach first.
    pub hsm_daemon: Setting<Option<String>>,
    /// What the module is given at C_Initialize.
    pub hsm_module_init: Setting<Option<String>>,
    /// How long to wait for the daemon and for any one call into the module.
    pub hsm_wait: Setting<Duration>,
    /// Whether physical HSMs are opted in to.
    pub hsm_physical: Setting<bool>,
    /// Command that has nginx take up a new TLS set; empty where there is none.
    pub nginx_reload: Setting<Vec<String>>,
    /// Where a start that waits for a person serves its page, where it does.
    pub page: Setting<Option<SocketAddr>>,
    /// Files of the PINs.
    pub secrets: SecretFiles,
    /// Directories that static files are collected from.
    pub static_sources: Setting<Vec<Utf8PathBuf>>,
    /// Directory that static files are collected into.
    pub static_root: Setting<Option<Utf8PathBuf>>,
    /// Locale directories.
    pub message_dirs: Setting<Vec<Utf8PathBuf>>,
    /// Languages that are compiled.
    pub message_languages: Setting<Vec<String>>,
}

/// A warning for each variable of the environment that begins as ours and is none.
pub fn unknown_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    variables::unknown(names)
}

impl Config {
    /// Merges flags, the process's environment and the file.
    ///
    /// # Errors
    /// [`FaultKind::Config`] for what cannot be right, naming key and source.
    pub fn load(global: &Global) -> Result<Self, Failure> {
        Self::merge(global, &|name| std::env::var_os(name))
    }

    /// What holds where no flag, variable or file says otherwise.
    ///
    /// # Errors
    /// A default that cannot be right: a defect, found by whoever prints the manual.
    pub fn defaults() -> Result<Self, Failure> {
        let unset = |path: &str| Setting {
            value: Utf8PathBuf::from(path),
            origin: Origin::Default,
        };
        let path = unset("/etc/trustpoint/trustpointctl.toml");
        let layers = Layers {
            environment: &|_| None,
            file: &path.value,
        };
        Self::resolve(&layers, unset("/"), path.clone(), ConfigFile::default())
    }

    fn merge(global: &Global, environment: Environment<'_>) -> Result<Self, Failure> {
        let root = layers::path(
            ("--root", global.root.as_ref()),
            "TRUSTPOINT_ROOT",
            environment,
            || Utf8PathBuf::from("/"),
        )?;
        let path = layers::path(
            ("--config", global.config.as_ref()),
            "TRUSTPOINT_CONFIG",
            environment,
            || root.value.join("etc/trustpoint/trustpointctl.toml"),
        )?;
        let file = file::read(&path.value, path.is_explicit())?;
        let layers = Layers {
            environment,
            file: &path.value,
        };
        Self::resolve(&layers, root, path.clone(), file)
    }

    fn resolve(
        layers: &Layers<'_>,
        root: Setting<Utf8PathBuf>,
        path: Setting<Utf8PathBuf>,
        mut file: ConfigFile,
    ) -> Result<Self, Failure> {
        let server = ServerSettings::resolve(layers, &mut file)?;
        let default = |below: &str| root.value.join(below);
        let text = |text: String| Ok(text);

        let hsm_uri = layers.pick("TRUSTPOINT_HSM_URI", file.hsm.uri, "hsm.uri", text)?;
        let uri = hsm_uri
            .clone()
            .map(|uri| {
                uri.and_then(|text| {
                    text.parse::<TokenUri>()
                        .map_err(|error| hsm_value("hsm.uri", &error))
                })
            })
            .transpose()?;
        let mut hsm_module = layers.path(
            "TRUSTPOINT_HSM_MODULE",
            file.hsm.module,
            "hsm.module",
            || Utf8PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"),
        )?;
        let mut hsm_token_label = layers.value(
            "TRUSTPOINT_HSM_TOKEN_LABEL",
            file.hsm.token_label,
            "hsm.token_label",
            text,
            || DEFAULT_TOKEN_LABEL.to_owned(),
        )?;
        let mut hsm_token_serial = Setting {
            value: None,
            origin: Origin::Default,
        };
        if let Some(Setting { value: uri, origin }) = uri {
            if let Some(module) = uri.module_path {
                hsm_module = Setting {
                    value: module.into(),
                    origin: origin.clone(),
                };
            }
            if let Some(label) = uri.token_label {
                hsm_token_label = Setting {
                    value: label,
                    origin: origin.clone(),
                };
            }
            hsm_token_serial = Setting {
                value: uri.serial,
                origin,
            };
        }

        Ok(Self {
            app_version: layers
                .value(
                    "TRUSTPOINT_APP_VERSION",
                    file.app.version,
                    "app.version",
                    text,
                    || env!("CARGO_PKG_VERSION").to_owned(),
                )?
                .and_then(|version| {
                    version.parse::<Version>().map_err(|error| {
                        Failure::new(
                            FaultKind::Config,
                            format!("the application version cannot be read: {error}"),
                            "correct app.version or TRUSTPOINT_APP_VERSION",
                        )
                    })
                })?,
            database: layers.path(
                "TRUSTPOINT_DATABASE",
                file.database.path,
                "database.path",
                || default("var/lib/trustpoint/trustpoint.db"),
            )?,
            server,
            snapshots: layers
                .path_in_file(file.database.snapshots, "database.snapshots")?
                .unwrap_or_else(|| Setting {
                    value: default("var/lib/trustpoint/snapshots"),
                    origin: Origin::Default,
                }),
            wizard_state_dir: layers.path(
                "TRUSTPOINT_WIZARD_STATE_DIR",
                file.wizard.state_dir,
                "wizard.state_dir",
                || default("etc/trustpoint/wizard/state"),
            )?,
            tls_dir: layers.path("TRUSTPOINT_TLS_DIR", file.tls.dir, "tls.dir", || {
                default("etc/trustpoint/tls")
            })?,
            tls_san: layers.value(
                "TRUSTPOINT_TLS_SAN",
                file.tls.san.map(Names::into_list),
                "tls.san",
                |text| Ok(Names::Text(text).into_list()),
                || vec!["127.0.0.1".to_owned()],
            )?,
            runtime_dir: layers.path(
                "TRUSTPOINT_RUNTIME_DIR",
                file.runtime.dir,
                "runtime.dir",
                || default("run/trustpoint"),
            )?,
            allow_non_tmpfs: layers.file_only(file.runtime.allow_non_tmpfs, || false),
            hsm_module,
            hsm_token_label,
            hsm_token_serial,
            hsm_uri: Setting::optional(hsm_uri),
            hsm_daemon: Setting::optional(layers.pick(
                "TRUSTPOINT_HSM_DAEMON",
                file.hsm.daemon,
                "hsm.daemon",
                text,
            )?),
            hsm_module_init: Setting::optional(layers.pick(
                "TRUSTPOINT_HSM_MODULE_INIT",
                file.hsm.module_init,
                "hsm.module_init",
                text,
            )?),
            hsm_wait: layers
                .value(
                    "TRUSTPOINT_HSM_WAIT",
                    file.hsm.wait,
                    "hsm.wait",
                    text,
                    || "30s".to_owned(),
                )?
                .and_then(|text| duration("hsm.wait", "TRUSTPOINT_HSM_WAIT", &text))?,
            hsm_physical: layers.value(
                "TRUSTPOINT_HSM_PHYSICAL",
                file.hsm.physical,
                "hsm.physical",
                |text| yes_or_no(&text),
                || false,
            )?,
            secrets: SecretFiles {
                pin: layers.pick_path("HSM_PIN_FILE", file.hsm.pin_file, "hsm.pin_file")?,
                so_pin: layers.pick_path(
                    "HSM_SO_PIN_FILE",
                    file.hsm.so_pin_file,
                    "hsm.so_pin_file",
                )?,
                database: layers.pick_path(
                    "TRUSTPOINT_DATABASE_PASSWORD_FILE",
                    file.database.password_file,
                    "database.password_file",
                )?,
            },
            nginx_reload: layers.file_only(file.nginx.reload, Vec::new),
            page: Setting::optional(layers.pick(
                "TRUSTPOINT_PAGE",
                file.page.listen,
                "page.listen",
                text,
            )?)
            .and_then(|text| text.as_deref().map(listen_address).transpose())?,
            static_sources: layers.paths_in_file(file.static_files.sources, "static.sources")?,
            static_root: Setting::optional(
                layers.path_in_file(file.static_files.root, "static.root")?,
            ),
            message_dirs: layers.paths_in_file(file.messages.dirs, "messages.dirs")?,
            message_languages: layers.file_only(file.messages.languages, || {
                vec!["de".to_owned(), "en".to_owned()]
            }),
            root,
            file: path,
        })
    }

    /// The directory that the lock and `pin-rejected` stand in: the database's.
    #[must_use]
    pub fn beside_database(&self, name: &str) -> Utf8PathBuf {
        match self.database.value.parent() {
            Some(parent) => parent.join(name),
            None => Utf8PathBuf::from(name),
        }
    }

    /// The daemon's address.
    ///
    /// # Errors
    /// [`FaultKind::Config`] for one that does not parse.
    pub fn daemon(&self) -> Result<Option<Daemon>, Failure> {
        let daemon = self.hsm_daemon.value.as_deref().map(str::parse);
        daemon
            .transpose()
            .map_err(|error| hsm_value("hsm.daemon", &error).at(&self.hsm_daemon.origin))
    }

    /// Key, value and origin of each setting; secrets are not among them.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T>(
            key: &'static str,
            setting: &Setting<T>,
            show: impl Fn(&T) -> String,
        ) -> (&'static str, String, String) {
            (key, show(&setting.value), setting.origin.to_string())
        }
        fn list<T: ToString>(items: &[T]) -> String {
            items
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        }
        fn option<T: ToString>(item: &Option<T>) -> String {
            item.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        let mut rows = vec![
            row("root", &self.root, ToString::to_string),
            row("config", &self.file, ToString::to_string),
            row("app.version", &self.app_version, ToString::to_string),
            row("database.path", &self.database, ToString::to_string),
            row("database.url", &self.server.url, option),
            row("database.schema", &self.server.schema, |schema| {
                schema.as_str().to_owned()
            }),
            row("database.wait", &self.server.wait, |wait| {
                humantime::format_duration(*wait).to_string()
            }),
            row("node.id", &self.server.node, option),
            row("database.snapshots", &self.snapshots, ToString::to_string),
            row(
                "wizard.state_dir",
                &self.wizard_state_dir,
                ToString::to_string,
            ),
            row("tls.dir", &self.tls_dir, ToString::to_string),
            row("tls.san", &self.tls_san, |items| list(items)),
            row("runtime.dir", &self.runtime_dir, ToString::to_string),
            row(
                "runtime.allow_non_tmpfs",
                &self.allow_non_tmpfs,
                ToString::to_string,
            ),
            row("hsm.module", &self.hsm_module, ToString::to_string),
            row(
                "hsm.token_label",
                &self.hsm_token_label,
                ToString::to_string,
            ),
            row("hsm.uri", &self.hsm_uri, option),
            row("hsm.daemon", &self.hsm_daemon, option),
            row("hsm.module_init", &self.hsm_module_init, option),
            row("hsm.wait", &self.hsm_wait, |wait| {
                humantime::format_duration(*wait).to_string()
            }),
            row("hsm.physical", &self.hsm_physical, ToString::to_string),
            row("page.listen", &self.page, option),
            row("nginx.reload", &self.nginx_reload, |items| list(items)),
            row("static.sources", &self.static_sources, |items| list(items)),
            row("static.root", &self.static_root, option),
            row("messages.dirs", &self.message_dirs, |items| list(items)),
            row("messages.languages", &self.message_languages, |items| {
                list(items)
            }),
        ];
        rows.extend(self.secrets.rows());
        rows
    }
}

/// An address and a port to listen on.
fn listen_address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|error| {
        Failure::new(
            FaultKind::Config,
            format!("page.listen: \"{text}\" is no address with a port: {error}"),
            "write it like `0.0.0.0:8443` or `[::]:8443`, in page.listen or TRUSTPOINT_PAGE",
        )
    })
}

impl Names {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(names) => names,
            Self::Text(text) => names_in(&text),
        }
    }
}

/// Names with commas or spaces between them.
#[must_use]
pub fn names_in(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn hsm_value(key: &str, error: &ConfigValueError) -> Failure {
    let hint = match error {
        ConfigValueError::Daemon { .. } => {
            "write hsm.daemon as tcp://host:port or unix:/path/of/the/socket"
        }
        ConfigValueError::Uri(_) => {
            "write it as pkcs11:token=LABEL;serial=NUMBER?module-path=/path/of/the/module.so \
             (RFC 7512)"
        }
        ConfigValueError::PinInUri(_) => {
            "take it out of the URI and configure hsm.pin_file; treat a PIN that stood there as \
             known to others"
        }
        ConfigValueError::ObjectInUri(_) => {
            "take it out: this program knows its KEK by the CKA_ID in the database"
        }
        ConfigValueError::UnknownInUri(_) => {
            "take it out: the token is found by its label and serial number"
        }
    };
    Failure::new(FaultKind::Config, format!("{key}: {error}"), hint)
}

fn yes_or_no(text: &str) -> Result<bool, Failure> {
    text.parse().map_err(|error| {
        Failure::new(
            FaultKind::Config,
            format!("hsm.physical: {text:?} is neither true nor false"),
            "write true or false into TRUSTPOINT_HSM_PHYSICAL, or take it away: false is the default",
        )
        .because(error)
    })
}
