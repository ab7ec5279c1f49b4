//! Where a value can come from: a flag, the environment, the file, or the default.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use ports::FaultKind;

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
    /// No flag, variable or file names it: the built-in value.
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
        f: impl FnOnce(T) -> Result<U, Failure>,
    ) -> Result<Setting<U>, Failure> {
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
) -> Result<Setting<Utf8PathBuf>, Failure> {
    let (name, given) = flag;
    let setting = match given {
        Some(path) => Some(Setting {
            value: path.clone(),
            origin: Origin::Flag(name),
        }),
        None => path_in_environment(environment, variable, name)?,
    };
    named(
        setting.unwrap_or_else(|| Setting {
            value: default(),
            origin: Origin::Default,
        }),
        name,
    )
}

/// Refuses a path that is empty: it is a value that somebody forgot, and would be taken for the
/// current directory.
fn named(setting: Setting<Utf8PathBuf>, key: &str) -> Result<Setting<Utf8PathBuf>, Failure> {
    if setting.value.as_str().is_empty() {
        return Err(empty(key).at(&setting.origin));
    }
    Ok(setting)
}

fn empty(key: &str) -> Failure {
    Failure::new(
        FaultKind::Config,
        format!("{key} is an empty path"),
        "give it a path, or leave it out: then the default holds",
    )
}

/// The variable as a path, where it is set.
fn path_in_environment(
    environment: Environment<'_>,
    variable: &'static str,
    key: &str,
) -> Result<Option<Setting<Utf8PathBuf>>, Failure> {
    let Some(value) = environment(variable) else {
        return Ok(None);
    };
    Ok(Some(Setting {
        value: text_of(value, variable, key)?.into(),
        origin: Origin::Environment(variable),
    }))
}

/// The variable's text; an empty variable counts as not set.
fn in_environment(
    environment: Environment<'_>,
    variable: &str,
    key: &str,
) -> Result<Option<String>, Failure> {
    let Some(value) = environment(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    text_of(value, variable, key).map(Some)
}

fn text_of(value: OsString, variable: &str, key: &str) -> Result<String, Failure> {
    value.into_string().map_err(|_| {
        Failure::new(
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
        parse: impl FnOnce(String) -> Result<T, Failure>,
    ) -> Result<Option<Setting<T>>, Failure> {
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
        parse: impl FnOnce(String) -> Result<T, Failure>,
        default: impl FnOnce() -> T,
    ) -> Result<Setting<T>, Failure> {
        Ok(self
            .pick(variable, in_file, key, parse)?
            .unwrap_or_else(|| Setting {
                value: default(),
                origin: Origin::Default,
            }))
    }

    /// A path, where somebody gave one. An empty one is refused, also from a variable.
    pub(super) fn pick_path(
        &self,
        variable: &'static str,
        in_file: Option<Utf8PathBuf>,
        key: &'static str,
    ) -> Result<Option<Setting<Utf8PathBuf>>, Failure> {
        let given = path_in_environment(self.environment, variable, key)?;
        given
            .or_else(|| {
                in_file.map(|value| Setting {
                    value,
                    origin: self.file_origin(),
                })
            })
            .map(|setting| named(setting, key))
            .transpose()
    }

    pub(super) fn path(
        &self,
        variable: &'static str,
        in_file: Option<Utf8PathBuf>,
        key: &'static str,
        default: impl FnOnce() -> Utf8PathBuf,
    ) -> Result<Setting<Utf8PathBuf>, Failure> {
        let given = self.pick_path(variable, in_file, key)?;
        Ok(given.unwrap_or_else(|| Setting {
            value: default(),
            origin: Origin::Default,
        }))
    }

    /// Paths that the file alone can give.
    pub(super) fn paths_in_file(
        &self,
        in_file: Option<Vec<Utf8PathBuf>>,
        key: &'static str,
    ) -> Result<Setting<Vec<Utf8PathBuf>>, Failure> {
        let setting = self.file_only(in_file, Vec::new);
        if setting.value.iter().any(|path| path.as_str().is_empty()) {
            return Err(empty(key).at(&setting.origin));
        }
        Ok(setting)
    }

    /// A path that the file alone can give.
    pub(super) fn path_in_file(
        &self,
        in_file: Option<Utf8PathBuf>,
        key: &'static str,
    ) -> Result<Option<Setting<Utf8PathBuf>>, Failure> {
        let given = in_file.map(|value| Setting {
            value,
            origin: self.file_origin(),
        });
        given.map(|setting| named(setting, key)).transpose()
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

/// A length of time, longer than nothing.
///
/// # Errors
/// [`FaultKind::Config`] for what is none.
pub(super) fn duration(key: &str, variable: &str, text: &str) -> Result<Duration, Failure> {
    let fault = |why: String| {
        Failure::new(
            FaultKind::Config,
            format!("{key}: \"{text}\" is no length of time: {why}"),
            format!("write it like `30s` or `2m`, in {key} or {variable}"),
        )
    };
    let wait = humantime::parse_duration(text).map_err(|error| fault(error.to_string()))?;
    if wait.is_zero() {
        Err(fault("it must be longer than nothing".into()))
    } else {
        Ok(wait)
    }
}
