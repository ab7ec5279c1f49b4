//! What other programs make of the files: nginx, openssl, pkcs11-tool, gettext, strace.

mod assets;
mod certificate;
pub mod nginx;
mod token;
mod token_files;
mod writes;
