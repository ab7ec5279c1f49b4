//! What a node can be asked to do: started, set up, recovered, looked at, given other keys or
//! another certificate, backed up.
//!
//! Each use case is a function over [`node::Node`], a set of ports. It asks for nothing on a
//! terminal: what it needs comes in as arguments, what happens goes out through the report and the
//! callback for steps. So a command line, a web page or a test is only one more caller. No adapter,
//! no file system and no terminal is named here.

pub mod backup;
pub mod backup_password;
mod copies;
mod credential;
mod dek_ways;
pub mod doctor;
pub mod error;
pub mod history;
pub mod hsm_check;
pub mod keys;
mod lock;
pub mod node;
mod record;
pub mod recorder;
pub mod recover;
pub mod refused;
pub mod report;
mod session;
pub mod setup;
mod snapshots;
pub mod startup;
mod storage;
pub mod tls_admin;
pub mod token;
pub mod waits;
mod wrap;
