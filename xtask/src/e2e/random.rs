//! Moments that a story picks, the same for the same seed.

use std::time::Duration;

/// Xorshift: moments need no better.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Some moment before this one.
    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / f64::from(u32::MAX);
        limit.mul_f64(part)
    }
}
