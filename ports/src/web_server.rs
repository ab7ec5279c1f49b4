//! The web server that serves the TLS set.

use std::io;

use crate::FaultKind;

/// Why the web server was not told, or did not take it.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of a variant says what its fields are"
)]
pub enum WebServerError {
    /// The command cannot be run.
    #[error("the reload command `{command}` cannot be run")]
    CannotRun { command: String, source: io::Error },
    /// The command failed, or did not end.
    #[error("the reload command `{command}` failed ({how}){}", said(words))]
    Failed {
        command: String,
        how: String,
        words: String,
    },
}

fn said(words: &str) -> String {
    match words.trim() {
        "" => String::new(),
        words => format!("; it said: {words}"),
    }
}

impl WebServerError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::CannotRun { .. } => FaultKind::Config,
            Self::Failed { .. } => FaultKind::Io,
        }
    }
}

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
    /// MUST be [`WebServerError::CannotRun`] for a command that cannot be run, and
    /// [`WebServerError::Failed`] for one that fails or does not end.
    fn reload(&self) -> Result<Reload, WebServerError>;
}
