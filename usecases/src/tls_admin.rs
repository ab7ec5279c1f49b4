//! The TLS server credential in the operator's hands: shown, renewed, imported, changed back.
//!
//! Every change is saved and activated in one transaction, reaches Nginx as one set, and is taken
//! up by a reload. What was active before stays in the database.

mod access;
mod activate;
mod import;
mod reload;
mod renew;
mod show;

pub use activate::{Activate, run as activate};
pub use import::{Import, run as import};
pub use reload::{reload, reload_after_start};
pub use renew::{Renew, run as renew};
pub use show::{Active, history, show};
