//! Which database is meant, as who, and how patiently.

use std::time::Duration;

use ports::Secret;

use super::address::{SchemaName, ServerAddress};

/// The longest time-out that server and kernel take: milliseconds in 31 bits.
pub(super) const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The password, where it is needed: read when a connection is made.
pub type Password = Box<dyn Fn() -> Result<Option<Secret>, String> + Send + Sync>;
/// Hears once that the server is waited for.
pub type Waiting = Box<dyn Fn(&str) + Send + Sync>;

/// All that a connection needs.
pub struct Target {
    /// The server.
    pub address: ServerAddress,
    /// The schema of the tables.
    pub schema: SchemaName,
    /// Name of the node, which other nodes read where this one holds the lock.
    pub node: String,
    /// How long the server is waited for, and any one answer of it.
    pub wait: Duration,
    /// The password; why it cannot be had, where that is so.
    pub password: Password,
    /// Asks a person for it, where the server wants one and none was given.
    pub ask: Password,
    /// Who hears that the server is waited for.
    pub waiting: Waiting,
}

impl Target {
    /// The database, as errors name it.
    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }

    #[cfg(test)]
    pub(super) fn for_tests(url: &str) -> Self {
        Self {
            address: url.parse().unwrap(),
            schema: "trustpointctl".parse().unwrap(),
            node: "test".to_owned(),
            wait: Duration::from_secs(10),
            password: Box::new(|| Ok(None)),
            ask: Box::new(|| Ok(None)),
            waiting: Box::new(|_| ()),
        }
    }
}
