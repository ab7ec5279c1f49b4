//! Why a command failed, with what to do next.
//!
//! A [`Failure`] is made here where the command line itself finds something wrong, and of the
//! error that a use case ends with; the hint is looked up then ([`hints`]). One kind goes the other
//! way and back: a PIN that cannot be read is a failure of the command line, which a use case hands
//! on as [`PinError`].

use std::error::Error as StdError;
use std::fmt;

use ports::{FaultKind, FileError, PinError, causes};
use usecases::error::Error;
use usecases::report::ErrorReport;

use crate::hints;

/// A failure of a command: the message says what failed and where, the hint what to do next. It
/// holds no secret.
#[derive(Debug)]
pub struct Failure {
    kind: FaultKind,
    message: String,
    hint: String,
    source: Option<Source>,
}

#[derive(Debug)]
enum Source {
    /// The error that caused it.
    Cause(Box<dyn StdError + Send + Sync>),
    /// The error that has this very message: its causes are this one's.
    SameMessage(Box<Error>),
}

impl Failure {
    /// A failure without an underlying error.
    pub fn new(kind: FaultKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.into(),
            source: None,
        }
    }

    /// The same, with what it means for whoever reads it in front: "the password cannot be had".
    pub fn meaning(self, what: &str) -> Self {
        let message = format!("{what}: {}", self.message);
        Self { message, ..self }
    }

    /// A failed operation on a file or stream, like "reading /etc/…".
    pub fn io(doing: impl Into<String>, error: std::io::Error) -> Self {
        FileError::new(doing, error).into()
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Source::Cause(cause.into()));
        self
    }

    /// The same with the place where its cause stands, like `file /etc/…`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{} ({place})", self.message);
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// For a report.
    #[must_use]
    pub fn report(&self) -> ErrorReport {
        ErrorReport {
            kind: self.kind,
            message: self.message.clone(),
            hint: self.hint.clone(),
            causes: causes(self),
        }
    }
}

/// What to do next about the error of a use case.
#[must_use]
pub fn hint_of(error: &Error) -> String {
    match error {
        Error::Pin(pin) => match pin.why.downcast_ref::<Failure>() {
            Some(failure) => failure.hint.clone(),
            None => String::new(),
        },
        error => hints::of(error),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // This program's own failure, which came back from a use case that asked for a PIN.
            Error::Pin(PinError { kind, why }) => match why.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(why) => Self::new(kind, why.to_string(), "give the PIN another way"),
            },
            error => Self {
                kind: error.kind(),
                message: error.to_string(),
                hint: hints::of(&error),
                source: Some(Source::SameMessage(Box::new(error))),
            },
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Error::from(error).into()
    }
}

impl From<Failure> for PinError {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind,
            why: Box::new(failure),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.source.as_ref()? {
            Source::Cause(cause) => Some(&**cause),
            Source::SameMessage(error) => error.source(),
        }
    }
}
