//! The program from outside: the built binary in a sandbox directory, against real SoftHSM, real
//! SQLite files, real nginx.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod sandbox;
mod schema;
#[path = "../../../adapters-db/src/tests/server.rs"]
mod server;

mod backup;
mod bad_input;
mod check_ahead;
mod commands;
mod contradictions;
mod copies;
mod corrections;
mod doctor;
mod fleet;
mod history;
mod hsm_check;
mod interop;
mod journals;
mod key_durability;
mod keys;
mod kills;
mod last_copy;
mod module_ends;
mod mounts;
mod outputs;
mod p11_kit;
mod page;
mod pin_budget;
mod recovery;
mod reference_faults;
mod runbook;
mod scenarios;
mod schemas;
mod setup;
mod terminal;
mod tls_admin;
mod token_away;
mod token_locks;
