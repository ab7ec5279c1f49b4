//! Where PINs and passwords come from: a file, the environment, or standard input; never an
//! argument.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{FaultKind, ResultExt, Secret};
use zeroize::Zeroizing;

use super::Setting;
use crate::failure::Failure;
use crate::input;

const DEFAULT_PIN_FILE: &str = "/run/secrets/hsm_pin";
const DEFAULT_SO_PIN_FILE: &str = "/run/secrets/hsm_so_pin";
const DEFAULT_DATABASE_PASSWORD_FILE: &str = "/run/secrets/database_password";

/// Longest PIN or password, in bytes: more is a wrong file.
const MAX_SECRET: usize = 4096;

/// The files that were configured for the PINs and the password of the database.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    /// User PIN.
    pub pin: Option<Setting<Utf8PathBuf>>,
    /// SO PIN.
    pub so_pin: Option<Setting<Utf8PathBuf>>,
    /// Password of the database server.
    pub database: Option<Setting<Utf8PathBuf>>,
}

/// Which PIN or password.
struct Kind {
    /// What is typed.
    what: &'static str,
    name: &'static str,
    default_file: &'static str,
    variable: &'static str,
    file_variable: &'static str,
    key: &'static str,
}

const USER: Kind = Kind {
    what: "PIN",
    name: "user PIN",
    default_file: DEFAULT_PIN_FILE,
    variable: "HSM_PIN",
    file_variable: "HSM_PIN_FILE",
    key: "hsm.pin_file",
};

const SO: Kind = Kind {
    what: "PIN",
    name: "SO PIN",
    default_file: DEFAULT_SO_PIN_FILE,
    variable: "HSM_SO_PIN",
    file_variable: "HSM_SO_PIN_FILE",
    key: "hsm.so_pin_file",
};

const DATABASE: Kind = Kind {
    what: "password",
    name: "password of the database",
    default_file: DEFAULT_DATABASE_PASSWORD_FILE,
    variable: "TRUSTPOINT_DATABASE_PASSWORD",
    file_variable: "TRUSTPOINT_DATABASE_PASSWORD_FILE",
    key: "database.password_file",
};

impl SecretFiles {
    /// The password of the database server; `None` where nobody gave one: it may ask for none.
    ///
    /// # Errors
    /// One that was given and cannot be had.
    pub fn database_password(&self) -> Result<Option<Secret>, Failure> {
        let given = self.database.as_ref();
        if !is_given(given, &DATABASE) {
            return Ok(None);
        }
        pin(given, &DATABASE).map(Some)
    }

    /// The user PIN.
    ///
    /// # Errors
    /// [`FaultKind::Denied`] where there is none or it is empty.
    pub fn user_pin(&self) -> Result<Secret, Failure> {
        pin(self.pin.as_ref(), &USER)
    }

    /// The SO PIN.
    ///
    /// # Errors
    /// As [`SecretFiles::user_pin`].
    pub fn so_pin(&self) -> Result<Secret, Failure> {
        pin(self.so_pin.as_ref(), &SO)
    }

    /// Whether somebody gave a user PIN, good or bad.
    pub fn has_user_pin(&self) -> bool {
        is_given(self.pin.as_ref(), &USER)
    }

    /// Whether somebody gave an SO PIN, good or bad.
    pub fn has_so_pin(&self) -> bool {
        is_given(self.so_pin.as_ref(), &SO)
    }

    /// The file that the password of the database server is read from, where there is one.
    pub fn database_password_file(&self) -> Option<Utf8PathBuf> {
        file(self.database.as_ref(), &DATABASE)
    }

    /// The file that the user PIN is read from, where there is one.
    pub fn user_pin_file(&self) -> Option<Utf8PathBuf> {
        file(self.pin.as_ref(), &USER)
    }

    /// The file that the SO PIN is read from, where there is one.
    pub fn so_pin_file(&self) -> Option<Utf8PathBuf> {
        file(self.so_pin.as_ref(), &SO)
    }

    /// Rows of `config show`: the paths, never what is in them.
    pub(super) fn rows(&self) -> Vec<(&'static str, String, String)> {
        [
            (&USER, &self.pin),
            (&SO, &self.so_pin),
            (&DATABASE, &self.database),
        ]
        .into_iter()
        .map(|(kind, setting)| match setting {
            Some(setting) => (
                kind.key,
                setting.value.to_string(),
                setting.origin.to_string(),
            ),
            None => (kind.key, kind.default_file.to_owned(), "default".to_owned()),
        })
        .collect()
    }
}

/// The configured one, be it there or not, else the default one where it is there.
fn file(configured: Option<&Setting<Utf8PathBuf>>, kind: &Kind) -> Option<Utf8PathBuf> {
    let default = || Some(Utf8PathBuf::from(kind.default_file)).filter(|path| path.exists());
    configured.map_or_else(default, |setting| Some(setting.value.clone()))
}

fn is_given(configured: Option<&Setting<Utf8PathBuf>>, kind: &Kind) -> bool {
    file(configured, kind).is_some()
        || std::env::var_os(kind.variable).is_some_and(|value| !value.is_empty())
}

fn pin(configured: Option<&Setting<Utf8PathBuf>>, kind: &Kind) -> Result<Secret, Failure> {
    let hint = || {
        format!(
            "put the {} into a file that only this user can read and name it with {} or {}",
            kind.what, kind.file_variable, kind.key
        )
    };
    if let Some(path) = file(configured, kind) {
        return read_secret_file(&path).map_err(|fault| {
            let message = format!("the {} cannot be had: {fault}", kind.name);
            Failure::new(FaultKind::Denied, message, hint()).because(fault)
        });
    }
    match std::env::var(kind.variable) {
        Ok(text) if !without_line_break(text.as_bytes()).is_empty() => {
            let text = Zeroizing::new(text);
            Ok(Secret::new(without_line_break(text.as_bytes()).to_vec()))
        }
        Ok(_) | Err(_) => Err(Failure::new(
            FaultKind::Denied,
            format!(
                "the {} is missing: no {}, no {}, and {} is not set",
                kind.name, kind.default_file, kind.file_variable, kind.variable
            ),
            hint(),
        )),
    }
}

/// The backup password of a file.
///
/// # Errors
/// As [`read_secret_file`].
pub fn read_password_file(path: &Utf8Path) -> Result<Secret, Failure> {
    read_secret_file(path).map_err(|fault| fault.meaning("the backup password cannot be had"))
}

/// Reads a secret: the file's content without one trailing line break; `-` is standard input.
///
/// # Errors
/// [`FaultKind::Denied`] for a file that is missing, empty or longer than any PIN or password.
fn read_secret_file(path: &Utf8Path) -> Result<Secret, Failure> {
    let bytes = if path == "-" {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 1));
        std::io::stdin()
            .lock()
            .take(MAX_SECRET as u64 + 1)
            .read_to_end(&mut bytes)
            .or_io(|| "reading the secret from standard input")?;
        bytes
    } else {
        input::read(path, MAX_SECRET).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => FaultKind::Denied,
                _ => Failure::io("", std::io::Error::from(error.kind())).kind(),
            };
            Failure::new(
                kind,
                format!("the file {path} cannot be read"),
                "correct the path, or what writes into it",
            )
            .because(error)
        })?
    };
    let denied = |why: &str| {
        let from = if path == "-" {
            "standard input"
        } else {
            path.as_str()
        };
        Failure::new(
            FaultKind::Denied,
            format!("{from} {why}"),
            "write the secret into it",
        )
    };
    if bytes.len() > MAX_SECRET {
        return Err(denied("is longer than any PIN or password"));
    }
    match without_line_break(&bytes) {
        [] => Err(denied("is empty")),
        secret => Ok(Secret::new(secret.to_vec())),
    }
}

/// Without the one line break that an editor, or `echo`, puts at the end.
fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
