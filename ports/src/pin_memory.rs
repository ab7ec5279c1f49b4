//! The ledger of PIN tries, beside the database (C18).

use std::time::Duration;

use crate::PinMemoryError;

/// After so many tries in a row whose end nobody saw, none is made until somebody has looked.
pub const MOST_UNSEEN_TRIES: u8 = 2;

/// How a try of a PIN ended, where its end was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TryEnd {
    /// The token took the PIN.
    Accepted,
    /// The token rejected the PIN.
    Rejected {
        /// Salt and slow hash of the PIN with their parameters, as text without spaces or line
        /// breaks (the PHC string format); opaque to the store.
        hash: String,
    },
    /// It failed before the token looked at the PIN.
    Other,
}

/// Where tries of a PIN are noted, over restarts and across processes.
pub trait PinMemory {
    /// Opens the ledger of the token with this serial number. Whoever holds one MUST keep all
    /// others out until it is dropped, those of other processes and other tokens too. Waits for
    /// them for at most `wait`.
    ///
    /// A memory that cannot be read or parsed MUST be an error: to go on without it could use up
    /// the last try.
    ///
    /// # Errors
    /// [`crate::FaultKind::Busy`] after `wait`, [`crate::FaultKind::DataCorrupt`], or a failed file
    /// operation.
    fn open(
        &self,
        token_serial: &str,
        wait: Duration,
    ) -> Result<Box<dyn PinLedger>, PinMemoryError>;
}

/// What is known of the PIN tries of one token.
pub trait PinLedger {
    /// The hashes of the PINs that the token has rejected since a login last worked.
    fn rejected(&self) -> &[String];

    /// How many tries were noted since a login last worked whose end nobody saw.
    fn unseen(&self) -> u8;

    /// Notes that a PIN is about to be tried, and nothing of the PIN. MUST be durable when it
    /// returns. After an error no PIN may be tried, and nothing is noted where that can be.
    ///
    /// # Errors
    /// A failed file operation.
    fn note_try(&mut self) -> Result<(), PinMemoryError>;

    /// Notes how the try ended that was noted last. Accepted: MUST forget all other tries and all
    /// hashes of this token, durably where an earlier try is noted beside this one. Rejected: MUST
    /// add the hash and cross out this one try, durably and in one step. Otherwise: MUST cross out
    /// this one try. A ledger that is dropped without this leaves a try whose end nobody saw, and so
    /// does an error.
    ///
    /// # Errors
    /// A failed file operation.
    fn end_try(&mut self, end: TryEnd) -> Result<(), PinMemoryError>;
}
