//! The HSM port on PKCS#11: module, daemon, token, PIN budget, KEK and wrapping.
//!
//! One [`Pkcs11Hsm`] serves one start. Every call into the module runs on one thread of its own
//! and has a deadline (`worker`), so that a token that accepts and never answers is an error like
//! any other.

mod blob;
mod budget;
mod classify;
mod config;
mod hsm;
mod initialise;
mod kek;
mod marker;
mod module;
mod probe;
mod random;
mod session;
mod token;
mod uri;
mod worker;
mod wrap;

pub use config::{Daemon, HsmConfig};
pub use hsm::Pkcs11Hsm;
pub use uri::TokenUri;
pub use worker::{any_module_hung, any_module_started};
