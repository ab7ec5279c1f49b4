//! Fakes: implementations in memory, for the error paths that the real parts cannot show.

mod backups;
mod database;
mod files;
mod surroundings;

pub use backups::FakeBackups;
pub use database::*;
pub use files::*;
pub use surroundings::*;
