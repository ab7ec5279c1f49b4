//! What every story is given.

use super::engine::Engine;
use super::image::Images;

/// What every story is given.
pub struct Stage {
    pub engine: Engine,
    pub images: Images,
    /// Unique to this run; the label's value, and the beginning of every name.
    pub run: String,
    /// Fewer repetitions.
    pub quick: bool,
    /// Of the random moments.
    pub seed: u64,
}

impl Stage {
    /// How often a story repeats: `full` times, or a tenth of it.
    pub fn times(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }
}
