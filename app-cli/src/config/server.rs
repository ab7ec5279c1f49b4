//! The database server that nodes share, and the name of this one among them.

use std::time::Duration;

use adapters_db::{SchemaName, ServerAddress, ServerAddressError};
use ports::FaultKind;

use super::file::{ConfigFile, Database};
use super::layers::{Layers, Setting, duration};
use crate::failure::Failure;

/// Longest name of a node: a host name has no more.
const LONGEST_NODE: usize = 253;

/// How the server is reached, and who asks it.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The URL; none: the database is a file.
    pub url: Setting<Option<String>>,
    /// The schema of the tables.
    pub schema: Setting<SchemaName>,
    /// How long the server is waited for.
    pub wait: Setting<Duration>,
    /// Name of the node; the host name where nobody gave one.
    pub node: Setting<Option<String>>,
}

impl ServerSettings {
    pub(super) fn resolve(layers: &Layers<'_>, file: &mut ConfigFile) -> Result<Self, Failure> {
        let text = |text: String| Ok(text);
        let Database {
            url, schema, wait, ..
        } = &mut file.database;
        let url = layers.pick("TRUSTPOINT_DATABASE_URL", url.take(), "database.url", text)?;
        // A URL that cannot be right is said at once, whatever the command is.
        if let Some(setting) = &url {
            setting.clone().and_then(|text| address(&text))?;
        }
        let node = layers.pick("TRUSTPOINT_NODE_ID", file.node.id.take(), "node.id", text)?;
        if let Some(setting) = &node {
            setting.clone().and_then(|name| ensure_name(&name))?;
        }
        Ok(Self {
            url: Setting::optional(url),
            schema: layers
                .value(
                    "TRUSTPOINT_DATABASE_SCHEMA",
                    schema.take(),
                    "database.schema",
                    text,
                    || "trustpointctl".to_owned(),
                )?
                .and_then(|text| {
                    text.parse()
                        .map_err(|error| wrong("database.schema", &error))
                })?,
            wait: layers
                .value(
                    "TRUSTPOINT_DATABASE_WAIT",
                    wait.take(),
                    "database.wait",
                    text,
                    || "30s".to_owned(),
                )?
                .and_then(|text| duration("database.wait", "TRUSTPOINT_DATABASE_WAIT", &text))?,
            node: Setting::optional(node),
        })
    }

    /// Where the server is, where there is one.
    ///
    /// # Errors
    /// [`FaultKind::Config`] for a URL that cannot be right.
    pub fn address(&self) -> Result<Option<ServerAddress>, Failure> {
        self.url.value.as_deref().map(address).transpose()
    }
}

fn address(url: &str) -> Result<ServerAddress, Failure> {
    url.parse().map_err(|error| wrong("database.url", &error))
}

fn wrong(key: &str, error: &ServerAddressError) -> Failure {
    let hint = match error {
        ServerAddressError::Password => {
            "take it out of the URL and put it into database.password_file; treat a password that \
             stood there as known to others"
        }
        ServerAddressError::Schema(_) => {
            "give another name, or leave it out: then it is trustpointctl"
        }
        ServerAddressError::Malformed(_)
        | ServerAddressError::Missing(_)
        | ServerAddressError::Parameter(_)
        | ServerAddressError::Mode(_)
        | ServerAddressError::HalfClient => {
            "write it as postgresql://USER@HOST:PORT/NAME?sslmode=verify-full&sslrootcert=/path/of/ca.pem"
        }
    };
    Failure::new(FaultKind::Config, format!("{key}: {error}"), hint)
}

/// It ends in messages of other nodes.
fn ensure_name(name: &str) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !name.is_empty() && name.len() <= LONGEST_NODE && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Failure::new(
        FaultKind::Config,
        format!("node.id: {name:?} cannot be the name of a node"),
        "give it a name of letters, digits, dots, dashes and underscores, which no other node has",
    ))
}
