//! Fakes of the files.

mod assets;
mod failures;
mod file_system;
mod state;
mod tls;

pub use assets::{FakeMessages, FakeStaticFiles};
pub use failures::FileFailures;
pub use file_system::FakeFileSystem;
pub use state::{FakeDekCache, FakeLock, FakePinMemory, FakeWizardStore};
pub use tls::{FakeTlsIssuer, FakeTlsStore};

#[cfg(test)]
mod tests;
