//! The setup page in a real browser: the built binary serves it in a sandbox directory, and Chromium is
//! driven over WebDriver.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

/// What the tests from outside have already.
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests from outside use the rest"
)]
#[path = "../outside"]
mod outside {
    pub mod sandbox;
    pub mod schema;
}
#[expect(dead_code, reason = "the tests from outside use the rest")]
#[path = "../../../adapters-db/src/tests/server.rs"]
mod server;

use outside::{sandbox, schema};

mod audit;
mod browser;
mod elsewhere;
mod network;
mod operator;
mod served;
mod sessions;
mod story;
