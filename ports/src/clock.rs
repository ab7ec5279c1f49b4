//! The time of day.

use time::OffsetDateTime;

/// The time, so that certificates and records can be tested at any date.
pub trait Clock {
    /// The time now, UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}
