//! Backups: made of a live node, checked, and put in the database's place.

mod create;
mod last_copy;
mod newer;
mod restore;
mod verify;

pub use create::{Create, run as create};
pub use restore::{Restore, run as restore};
pub use verify::{Opens, Verify, run as verify};
