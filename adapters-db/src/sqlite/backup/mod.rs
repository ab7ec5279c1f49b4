//! Backups: a SQLite database with a manifest after its last page.
//!
//! So `sqlite3` opens a backup, and whoever has lost this program can still read it.

mod create;
mod digest;
mod manifest;
mod own;
mod read;
mod replaced;
mod stage;

pub(crate) use create::create;
pub(crate) use read::read;
pub(crate) use stage::{Staged, taken_in};
