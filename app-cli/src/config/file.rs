//! The TOML file, as it is written.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::FaultKind;
use serde::Deserialize;

use crate::failure::Failure;
use crate::input;

/// Far more than all keys with comments.
const MAX_FILE: u64 = 1 << 20;

/// The file. Every key is optional; a key that is not here is an error with its line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    pub app: App,
    pub database: Database,
    pub node: Node,
    pub wizard: Wizard,
    pub tls: Tls,
    pub runtime: Runtime,
    pub hsm: Hsm,
    #[serde(rename = "static")]
    pub static_files: StaticFiles,
    pub messages: Messages,
    pub nginx: Nginx,
    pub page: Page,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    pub version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    pub path: Option<Utf8PathBuf>,
    pub url: Option<String>,
    pub password_file: Option<Utf8PathBuf>,
    pub schema: Option<String>,
    pub wait: Option<String>,
    pub snapshots: Option<Utf8PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    pub id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wizard {
    pub state_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    pub dir: Option<Utf8PathBuf>,
    pub san: Option<Names>,
}

/// One name, several in one text, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Names {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    pub dir: Option<Utf8PathBuf>,
    pub allow_non_tmpfs: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hsm {
    pub module: Option<Utf8PathBuf>,
    pub module_init: Option<String>,
    pub token_label: Option<String>,
    pub uri: Option<String>,
    pub daemon: Option<String>,
    pub wait: Option<String>,
    pub physical: Option<bool>,
    pub pin_file: Option<Utf8PathBuf>,
    pub so_pin_file: Option<Utf8PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StaticFiles {
    pub sources: Option<Vec<Utf8PathBuf>>,
    pub root: Option<Utf8PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Messages {
    pub dirs: Option<Vec<Utf8PathBuf>>,
    pub languages: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nginx {
    pub reload: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    pub listen: Option<String>,
}

/// Reads the file. `required`: it was asked for by name, so it must be there.
pub fn read(path: &Utf8Path, required: bool) -> Result<ConfigFile, Failure> {
    let text = match text(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(no_configuration(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
            return Ok(ConfigFile::default());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::new(
                FaultKind::Config,
                format!("the configuration file {path} does not exist"),
                "correct --config or TRUSTPOINT_CONFIG, or leave both out",
            )
            .because(error));
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Failure::new(
                FaultKind::Config,
                format!("the configuration file {path} is not UTF-8 text"),
                "write it anew as TOML",
            )
            .because(error));
        }
        Err(error) => {
            let what = format!("reading the configuration file {path}");
            return Err(Failure::io(what, error));
        }
    };
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text.bytes()
                .take(span.start)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1
        });
        Failure::new(
            FaultKind::Config,
            format!("{path}, line {line}: {}", error.message()),
            format!("correct {path}; `trustpointctl config show` lists the keys"),
        )
    })
}

/// The file's text; `None` for what cannot be a configuration: a FIFO would hang every start, and a
/// device has no end.
fn text(path: &Utf8Path) -> std::io::Result<Option<String>> {
    let file = input::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Ok(None);
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn no_configuration(path: &Utf8Path) -> Failure {
    Failure::new(
        FaultKind::Config,
        format!(
            "the configuration {path} is no regular file of at most {} KiB",
            MAX_FILE >> 10
        ),
        "put a TOML file there, or name another one with --config or TRUSTPOINT_CONFIG",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// But for `hsm.uri` and `database.url`, which stand in the place of others, and
    /// `hsm.module_init`, which the example's module does not take.
    #[test]
    fn the_manuals_example_shows_every_key() {
        let file: ConfigFile = toml::from_str(&crate::manual::example()).unwrap();
        let shown = format!("{file:?}");
        for left_out in ["url: None", "uri: None", "module_init: None"] {
            assert!(shown.contains(left_out), "{shown}");
        }
        assert_eq!(shown.matches(": None").count(), 3, "{shown}");
    }
}
