//! What can fail: the errors of the ports, in one sum.

use std::error::Error;
use std::fmt;

use crate::{
    AssetError, BackupError, CryptoError, DekCacheError, FaultKind, FileError, LockError,
    PinMemoryError, StoreError, TlsError, TokenError, WebServerError, WizardError, hints,
};

/// A failure of any port. Each port has its own type; none may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// The start lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger of PIN tries.
    #[error(transparent)]
    PinMemory(#[from] PinMemoryError),
    /// The wizard's state.
    #[error(transparent)]
    Wizard(#[from] WizardError),
    /// The DEK cache.
    #[error(transparent)]
    DekCache(#[from] DekCacheError),
    /// Static files and message catalogues.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// The TLS credential.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The web server.
    #[error(transparent)]
    WebServer(#[from] WebServerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Cryptography with a DEK.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The token, or the way to it.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What has no type of its own yet.
    #[error(transparent)]
    Other(Box<Untyped>),
}

/// A failure that carries its own kind and hint.
#[derive(Debug)]
pub struct Untyped {
    kind: FaultKind,
    message: String,
    hint: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    is_unanswered: bool,
    is_transparent: bool,
}

impl Fault {
    /// A failure without an underlying error.
    pub fn new(kind: FaultKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other(Box::new(Untyped {
            kind,
            message: message.into(),
            hint: hint.into(),
            source: None,
            is_unanswered: false,
            is_transparent: false,
        }))
    }

    /// A failure that says what `error` says.
    pub fn of(
        kind: FaultKind,
        hint: impl Into<String>,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        let mut untyped = Self::new(kind, error.to_string(), hint)
            .because(error)
            .untyped();
        untyped.is_transparent = true;
        Self::Other(untyped)
    }

    fn untyped(self) -> Box<Untyped> {
        match self {
            Self::Other(untyped) => untyped,
            typed => Box::new(Untyped {
                kind: typed.kind(),
                message: typed.to_string(),
                hint: typed.hint(),
                is_unanswered: typed.is_unanswered(),
                is_transparent: true,
                source: Some(Box::new(typed)),
            }),
        }
    }

    /// The same for a call that never came back: whoever would have answered is not asked again.
    #[must_use]
    pub fn unanswered(self) -> Self {
        let mut untyped = self.untyped();
        untyped.is_unanswered = true;
        Self::Other(untyped)
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut untyped = self.untyped();
        untyped.source = Some(source.into());
        untyped.is_transparent = false;
        Self::Other(untyped)
    }

    /// The same with another hint: whoever has seen more of the node knows better what to do next.
    #[must_use]
    pub fn advise(self, hint: impl Into<String>) -> Self {
        let mut untyped = self.untyped();
        untyped.hint = hint.into();
        Self::Other(untyped)
    }

    /// The same with the place where its cause stands, like `file /etc/…`.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        let mut untyped = self.untyped();
        untyped.message = format!("{} ({place})", untyped.message);
        Self::Other(untyped)
    }

    /// A failed file operation.
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        Self::File(FileError::new(what, error))
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Lock(error) => error.kind(),
            Self::PinMemory(error) => error.kind(),
            Self::Wizard(error) => error.kind(),
            Self::DekCache(error) => error.kind(),
            Self::Assets(error) => error.kind(),
            Self::Tls(error) => error.kind(),
            Self::WebServer(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Backup(error) => error.kind(),
            Self::Crypto(error) => error.kind(),
            Self::Token(error) => error.kind(),
            Self::Other(untyped) => untyped.kind,
        }
    }

    /// Whether a call never came back, and none after it will.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Token(error) => error.is_unanswered(),
            Self::Other(untyped) => untyped.is_unanswered,
            _ => false,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Other(untyped) => untyped.hint.clone(),
            typed => hints::of(typed),
        }
    }

    /// The messages of the underlying errors, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }
}

impl fmt::Display for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Untyped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref();
        let source = source.map(|source| source as &(dyn Error + 'static));
        if self.is_transparent {
            return source.and_then(Error::source);
        }
        source
    }
}
