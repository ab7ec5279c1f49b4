//! A database on a server, and what this node has beside it.

use std::sync::Arc;

use camino::Utf8PathBuf;

use super::connection::Connections;
use super::held::Held;
use crate::watch::Watch;

/// A database on a server.
#[derive(Clone)]
pub struct Server {
    pub(super) connections: Arc<Connections>,
    pub(crate) held: Held,
    /// Where this node keeps what is its own: the lock stands there, and snapshots belong to who
    /// owns that directory.
    pub(super) beside: Utf8PathBuf,
    pub(super) snapshots: Utf8PathBuf,
    pub(super) watch: Watch,
}

impl Server {
    /// The database, as errors name it.
    pub(super) fn name(&self) -> Utf8PathBuf {
        self.connections.target.name().into()
    }
}
