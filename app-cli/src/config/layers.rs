//! Where a value can come from: a flag, the environment, the file, or the default.

use std::ffi::OsString;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind};

/// How a variable is looked up.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A command-line flag.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The configuration file.
    File(Utf8PathBuf),
    /// Nothing else said so.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// Whether somebody asked for this value.
    pub fn is_explicit(&self) -> bool {
        self.origin != Origin::Default
    }
}

impl<T> Setting<T> {
    /// A setting that may be left out.
    pub(super) fn optional(given: Option<Self>) -> Setting<Option<T>> {
        match given {
            Some(setting) => Setting {
                value: Some(setting.value),
                origin: setting.origin,
            },
            None => Setting {
                value: None,
                origin: Origin::Default,
            },
        }
    }

    pub(super) fn and_then<U>(
        self,
        f: impl FnOnce(T) -> Result<U, Fault>,
    ) -> Result<Setting<U>, Fault> {
        Ok(Setting {
            value: f(self.value).map_err(|fault| fault.at(&self.origin))?,
            origin: self.origin,
        })
    }
}

/// A path that a flag names, else its variable.
///
/// # Errors
/// [`FaultKind::Config`] for a variable that is no text.
pub(super) fn path(
    flag: (&'static str, Option<&Utf8PathBuf>),
    variable: &'static str,
    environment: Environment<'_>,
    default: impl FnOnce() -> Utf8PathBuf,
) -> Result<Setting<Utf8PathBuf>, Fault> {
    let (name, given) = flag;
    if let Some(path) = given {
        return Ok(Setting {
            value: path.clone(),
            origin: Origin::Flag(name),
        });
    }
    Ok(match in_environment(environment, variable, name)? {
        Some(text) => Setting {
            value: text.into(),
            origin: Origin::Environment(variable),
        },
        None => Setting {
            value: default(),
            origin: Origin::Default,
        },
    })
}

/// The variable's text; an empty variable counts as not set.
fn in_environment(
    environment: Environment<'_>,
    variable: &str,
    key: &str,
) -> Result<Option<String>, Fault> {
    let Some(value) = environment(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    value.into_string().map(Some).map_err(|_| {
        Fault::new(
            FaultKind::Config,
            format!("{variable} ({key}) is not UTF-8 text"),
            format!("correct the environment variable {variable}"),
        )
    })
}

/// The environment and the file, as places a value can come from.
pub(super) struct Layers<'a> {
    pub(super) environment: Environment<'a>,
    pub(super) file: &'a Utf8Path,
}

impl Layers<'_> {
    pub(super) fn file_origin(&self) -> Origin {
        Origin::File(self.file.to_owned())
    }

    /// The value, where somebody gave one. An empty variable counts as not set.
    pub(super) fn pick<T>(
        &self,
        variable: &'static str,
        in_file: Option<T>,
        key: &'static str,
        parse: impl FnOnce(String) -> Result<T, Fault>,
    ) -> Result<Option<Setting<T>>, Fault> {
        match in_environment(self.environment, variable, key)? {
            Some(text) => Ok(Some(Setting {
                value: parse(text)?,
                origin: Origin::Environment(variable),
            })),
            None => Ok(in_file.map(|value| Setting {
                value,
                origin: self.file_origin(),
            })),
        }
    }

    pub(super) fn value<T>(
        &self,
        variable: &'static str,
        in_file: Option<T>,
        key: &'static str,
        parse: impl FnOnce(String) -> Result<T, Fault>,
        default: impl FnOnce() -> T,
    ) -> Result<Setting<T>, Fault> {
        Ok(self
            .pick(variable, in_file, key, parse)?
            .unwrap_or_else(|| Setting {
                value: default(),
                origin: Origin::Default,
            }))
    }

    pub(super) fn file_only<T>(
        &self,
        in_file: Option<T>,
        default: impl FnOnce() -> T,
    ) -> Setting<T> {
        match in_file {
            Some(value) => Setting {
                value,
                origin: self.file_origin(),
            },
            None => Setting {
                value: default(),
                origin: Origin::Default,
            },
        }
    }
}
