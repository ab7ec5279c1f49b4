//! The ports of the database on SQLite, and the cryptography with a DEK.
//!
//! All SQL of the project is here. [`SqliteDatabase`] keeps one connection for its life; the start
//! that uses it holds the start lock before it is made (C11).

mod backup;
mod classify;
mod columns;
mod connections;
mod contents;
mod create;
mod credential;
mod credential_list;
mod database;
mod db;
mod dek_crypto;
mod directory;
mod draft;
mod file_bytes;
mod file_header;
mod history;
mod identity;
mod installation;
mod integrity;
mod key_sealing;
mod live_copy;
mod memory;
mod migrate;
mod node;
mod open;
mod owner;
mod path_state;
mod postgres;
mod private_copy;
mod schema;
mod schema_text;
mod scrub;
mod sealing;
mod shown;
mod snapshot;
mod snapshot_files;
mod space;
mod sql_error;
mod through_sqlite;
mod watch;

#[cfg(test)]
mod tests;

pub use database::SqliteDatabase;
pub use dek_crypto::RingDekCrypto;
pub use postgres::{
    AdvisoryLock, Password, PostgresDatabase, SchemaName, ServerAddress, ServerAddressError,
    Target, Waiting,
};
pub use watch::Watch;
