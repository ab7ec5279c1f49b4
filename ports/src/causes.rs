//! An error with the errors below it.

use std::error::Error;
use std::iter::successors;

/// The messages of the errors below this one, outermost first.
#[must_use]
pub fn causes(error: &dyn Error) -> Vec<String> {
    let below = successors(error.source(), |error| (*error).source());
    below.map(ToString::to_string).collect()
}

/// The message with those of its causes behind it.
#[must_use]
pub fn in_full(error: &dyn Error) -> String {
    [vec![error.to_string()], causes(error)].concat().join(": ")
}
