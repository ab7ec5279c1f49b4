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

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_keeps_the_contract() {
        crate::contract::surroundings::clock(&SystemClock);
    }
}
