//! The HSM port on PKCS#11: module, daemon, token, PIN budget, KEK and wrapping.
//!
//! One [`Pkcs11Hsm`] serves one start. Every call into the module runs on one thread of its own
//! and has a deadline (`worker`), so that a token that accepts and never answers is an error like
//! any other, and so is a module that ends the process (`last_resort`).

mod blob;
mod budget;
mod classify;
mod config;
mod flush;
mod hsm;
mod initialise;
mod interrupts;
mod kek;
mod last_resort;
mod login;
mod marker;
mod module;
mod probe;
mod quirks;
mod random;
mod session;
mod survey;
mod token;
mod uri;
mod user_login;
mod worker;
mod wrap;

pub use config::{Daemon, HsmConfig};
pub use hsm::Pkcs11Hsm;
pub use interrupts::Interrupts;
pub use uri::TokenUri;
pub use worker::{any_module_hung, any_module_started};
