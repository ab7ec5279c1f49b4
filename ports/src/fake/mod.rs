//! Fakes: implementations in memory, for the error paths that the real parts cannot show.

mod database;
mod files;
mod surroundings;

pub use database::*;
pub use files::*;
pub use surroundings::*;
