//! Contract suites of the files.
//!
//! Each suite takes a factory that makes a fresh store for each case; what the factory gives opens
//! a new value over that store, as each start does.

mod assets;
mod cases;
mod state;
mod tls;

pub use assets::{MessagesRig, StaticFilesRig, messages, static_files};
pub use cases::{Fresh, Open};
pub use state::{dek_cache, pin_memory, start_lock, wizard_store};
pub use tls::{tls_issuer, tls_store};
