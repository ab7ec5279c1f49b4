//! The ports of the database on one SQLite file.
//!
//! [`SqliteDatabase`] keeps one connection for its life; the start that uses it holds the start lock
//! before it is made (C11).

pub(crate) mod backup;
pub(crate) mod classify;
pub(crate) mod connections;
pub(crate) mod contents;
pub(crate) mod create;
mod database;
pub(crate) mod db;
pub(crate) mod directory;
pub(crate) mod draft;
pub(crate) mod file_bytes;
pub(crate) mod file_header;
pub(crate) mod identity;
pub(crate) mod integrity;
pub(crate) mod live_copy;
pub(crate) mod memory;
mod migrate;
pub(crate) mod open;
pub(crate) mod owner;
pub(crate) mod path_state;
pub(crate) mod private_copy;
pub(crate) mod schema_text;
mod scrub;
pub(crate) mod snapshot;
pub(crate) mod snapshot_files;
pub(crate) mod space;
pub(crate) mod sql_error;
mod through_sqlite;

pub use database::SqliteDatabase;
