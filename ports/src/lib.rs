//! What a start needs of the world: one trait per port.
//!
//! Each method's documentation is its contract: what an implementation MUST return for absent,
//! unreachable and corrupt. The suites in `contract` (feature `testing`) hold every
//! implementation to it, the fakes included. No type here belongs to SQLite, PKCS#11 or Nginx.

mod assets;
mod backup;
mod clock;
mod credentials;
mod database;
mod dek_cache;
mod fault;
mod file_error;
mod hints;
mod lock;
mod output;
mod pin_memory;
mod pins;
mod places;
mod seals;
mod secret;
mod tls;
mod token;
mod token_error;
mod web_server;
mod wizard_store;

#[cfg(feature = "testing")]
#[expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a suite is test code"
)]
pub mod contract;
#[cfg(feature = "testing")]
#[expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a fake is test code"
)]
pub mod fake;

pub use assets::{AssetReport, Messages, StaticFiles};
pub use backup::{
    Backup, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, StagedBackup,
};
pub use clock::{Clock, SystemClock};
pub use credentials::{CredentialOrigin, Credentials, StoredCredential};
pub use database::{
    ActiveCredential, BackupWrappedDek, CredentialKey, Database, DatabaseState, HistoryRow,
    MadeSnapshot, Migrated, NodeRecord, Snapshot, StartRecord, TokenRecord, WrappedDek,
};
pub use dek_cache::{CachedDek, DekCache};
pub use fault::{Fault, FaultKind, ResultExt};
pub use file_error::FileError;
pub use lock::{StartLock, StartLockGuard};
pub use output::{Level, Output};
pub use pin_memory::{MOST_UNSEEN_TRIES, PinLedger, PinMemory, TryEnd};
pub use pins::Pins;
pub use places::{PlaceFacts, Places, Room, is_open_to_all};
pub use seals::DekSeals;
pub use secret::{Dek, Secret};
pub use tls::{
    Assembled, CertificateDetails, CertificateFacts, CredentialFiles, Published, TlsCredential,
    TlsIssuer, TlsSet, TlsSource, TlsStore, TlsView,
};
pub use token::{
    DekBlobs, Found, PinState, ReachedModule, Token, TokenInfo, TokenModule, TokenQuery,
    TokenSession, WrapFormat,
};
pub use token_error::{CallFailure, TokenError, TokenName};
pub use web_server::{Reload, WebServer};
pub use wizard_store::{WizardDirectory, WizardStore};
