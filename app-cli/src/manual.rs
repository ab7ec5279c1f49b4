//! What the man pages say beside the options: variables and files.

use crate::config::{Config, OTHER_VARIABLES, VARIABLES};

/// Every environment variable, and what it is for.
pub fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.into_iter().chain(OTHER_VARIABLES)
}

/// Every file and directory that a node has by default, with the setting that moves it.
///
/// # Errors
/// A default that cannot be right, as text: a defect of this program.
pub fn files() -> Result<Vec<(String, &'static str)>, String> {
    let defaults = Config::defaults().map_err(|failure| failure.report().message)?;
    let rows = defaults.rows().into_iter();
    Ok(rows
        .filter(|(key, value, _)| value.starts_with('/') && *key != "root")
        .map(|(key, value, _)| (value, key))
        .collect())
}
