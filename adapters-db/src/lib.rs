//! The ports of the database on SQLite and on PostgreSQL, and the cryptography with a DEK.
//!
//! All SQL of the project is here. What both databases understand is written once, over
//! `sql::Tables`; `sqlite` has what is special of a file, `postgres` what is special of a server.

mod content;
mod credential;
mod defect;
mod dek_crypto;
mod history;
mod installation;
mod key_sealing;
mod node;
mod postgres;

mod schema;
mod sealing;
mod shown;
mod sql;
mod sqlite;
mod store;
mod watch;

#[cfg(test)]
mod tests;

pub use dek_crypto::RingDekCrypto;
pub use postgres::{
    AdvisoryLock, Password, PostgresDatabase, SchemaName, ServerAddress, ServerAddressError,
    Target, Waiting,
};
pub use sqlite::SqliteDatabase;
pub use watch::Watch;
