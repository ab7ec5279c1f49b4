//! The adapters on real files: what is written, in which order, and what a kill leaves behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code"
)]

mod child;
mod dek_cache;
mod durable;
mod full_disk;
mod lock;
mod messages;
mod pin_memory;
mod static_files;
mod support;
mod syscalls;
mod tls_flips;
mod tls_issuer;
mod tls_kill;
mod tls_set;
mod wizard;
