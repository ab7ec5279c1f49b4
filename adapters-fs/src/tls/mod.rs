//! The Nginx TLS directory, and the credentials that go into it (C7).

mod assemble;
mod certificate;
mod chain;
mod details;
mod issuer;
mod key_forms;
mod labels;
mod links;
mod nginx;
mod private_key;
mod rsa;
mod san;
mod set;
mod strict;

pub use issuer::SelfSignedIssuer;
pub use nginx::NginxTls;
