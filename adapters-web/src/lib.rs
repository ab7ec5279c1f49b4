//! The setup and recovery page: a start that waits for a person serves it, and nobody but the operator
//! gets past its first form.
//!
//! [`serve`] has one thread for every connection. What blocks (the use cases) has its own: see `desk`.

mod access;
mod answer;
mod connections;
mod desk;
mod form;
mod origin;
mod random;
mod refusals;
mod request;
mod routes;
mod server;
mod sessions;
mod site;
mod texts;
mod tls;
mod views;
mod watch;

pub use access::Doorkeeper;
pub use desk::Desk;
pub use random::NoRandom;
pub use server::{End, Page, serve};
pub use texts::{CATALOGUES, Catalogue, Languages, TEXTS};
pub use tls::NoTls;
