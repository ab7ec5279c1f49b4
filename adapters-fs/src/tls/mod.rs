//! The Nginx TLS directory, and the credentials that go into it (C7).

mod assemble;
mod certificate;
mod details;
mod issuer;
mod key_forms;
mod links;
mod nginx;
mod private_key;
mod san;
mod set;

pub use issuer::SelfSignedIssuer;
pub use nginx::NginxTls;
