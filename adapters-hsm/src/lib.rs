//! The token port on PKCS#11: module, daemon, token, PIN budget, KEK and wrapping.
//!
//! One [`Pkcs11Module`] serves one process. Every call into the module runs on one thread of its
//! own and has a deadline (`worker`), so that a token that accepts and never answers is an error
//! like any other, and so is a module that ends the process (`last_resort`).

mod blob;
mod budget;
mod classify;
mod config;
mod config_value;
mod direct;
mod find;
mod flush;
mod init_string;
mod initialise;
mod interrupts;
mod kek;
mod last_resort;
mod loaded;
mod login;
mod marker;
mod mechanisms;
mod module;
mod patience;
mod probe;
mod quirks;
mod random;
mod reached;
mod session;
mod shared;
mod slots;
mod token_module;
mod token_session;
mod trials;
mod uri;
mod worker;
mod wrap;

pub use blob::Pkcs11Blobs;
pub use config::{Daemon, HsmConfig};
pub use config_value::ConfigValueError;
pub use interrupts::Interrupts;
pub use token_module::Pkcs11Module;
pub use uri::TokenUri;
pub use worker::{any_module_hung, any_module_started};
