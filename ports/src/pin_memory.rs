//! The memory of rejected PINs, beside the database (C18).

use crate::Fault;

/// A slow salted hash of a PIN that a token has rejected; opaque to the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RejectedPin {
    /// Serial number of the token that rejected it.
    pub token_serial: String,
    /// Salt and hash with their parameters, as text without line breaks (the PHC string format).
    pub hash: String,
}

/// Where rejected PINs are remembered over restarts.
pub trait PinMemory {
    /// What is remembered for the token.
    ///
    /// MUST be `None` where nothing is. A memory that cannot be read or parsed MUST be an error:
    /// to go on without it could use up the last try.
    ///
    /// # Errors
    /// As [`Fault::io`] has it, or [`crate::FaultKind::DataCorrupt`].
    fn recall(&self, token_serial: &str) -> Result<Option<RejectedPin>, Fault>;

    /// Remembers, in place of what was remembered for that token; durable when it returns.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn remember(&self, rejected: &RejectedPin) -> Result<(), Fault>;

    /// Forgets what is remembered for the token; nothing to forget is no error.
    ///
    /// # Errors
    /// As [`Fault::io`] has it.
    fn forget(&self, token_serial: &str) -> Result<(), Fault>;
}
