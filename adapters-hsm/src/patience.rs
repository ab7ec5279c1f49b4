//! The pauses between tries to reach an HSM that is away.

use std::thread;
use std::time::Duration;

use ports::{Patience, TokenError};

/// The first pause; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);

/// How long the next pause is.
pub(crate) struct Pauses(Duration);

impl Pauses {
    /// Before the first one.
    pub(crate) const fn new() -> Self {
        Self(FIRST)
    }

    /// Sleeps before a further try.
    ///
    /// # Errors
    /// Why the last one failed, where no further try could work or the patience is over.
    pub(crate) fn pause(
        &mut self,
        patience: &mut Patience<'_>,
        why: TokenError,
    ) -> Result<(), TokenError> {
        if !why.may_pass() || patience.left() <= self.0 {
            return Err(why);
        }
        patience.tell(&why);
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST);
        Ok(())
    }
}
