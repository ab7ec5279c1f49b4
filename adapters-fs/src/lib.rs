//! The file ports: Nginx TLS set, TLS issuer, wizard state, DEK cache, lock, static files, messages.
//!
//! Everything that must survive a crash is written through [`durable`]: temporary file, fsync,
//! rename, fsync of the directory. Each adapter is one module and knows one directory.

mod dek_cache;
pub mod durable;
mod file_system;
mod lock;
mod messages;
mod pin_memory;
mod static_files;
mod tls;
mod web_server;
mod wizard;

pub use dek_cache::DekCacheFile;
pub use file_system::LocalFileSystem;
pub use lock::FileLock;
pub use messages::{MessageCompiler, read_catalogue};
pub use pin_memory::PinMemoryFile;
pub use static_files::StaticCollector;
pub use tls::{NginxTls, SelfSignedIssuer};
pub use web_server::ReloadCommand;
pub use wizard::WizardDir;
