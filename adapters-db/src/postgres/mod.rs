//! The ports of the database on PostgreSQL, for nodes that share one (ADR 20).
//!
//! Nothing here is touched where a node has its database in a file: no runtime is made, and no thread.

mod address;
mod backups;
mod catalogue;
mod certificate;
mod connection;
mod copy;
mod database;
mod error;
mod held;
mod lock;
mod migrate;
mod restore;
mod server;
mod session;
mod target;
mod tls;
mod transaction;
mod twin;

pub use address::{SchemaName, ServerAddress, ServerAddressError};
pub use database::PostgresDatabase;
#[cfg(test)]
pub(crate) use held::Backend;
pub use lock::AdvisoryLock;
#[cfg(test)]
pub(crate) use session::round_trips;
pub use target::{Password, Target, Waiting};
