//! The web server that serves the TLS set.

use crate::Fault;

/// What [`WebServer::reload`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reload {
    /// No command is configured: whoever runs the web server has to reload it.
    NotConfigured,
    /// The web server was told.
    Done,
}

/// The web server, which has to be told of a new set.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait WebServer {
    /// Has it read its files anew. MUST come back within a bounded time.
    ///
    /// # Errors
    /// MUST be [`crate::FaultKind::Config`] for a command that cannot be run, and
    /// [`crate::FaultKind::Io`] for one that fails or does not end.
    fn reload(&self) -> Result<Reload, Fault>;
}
