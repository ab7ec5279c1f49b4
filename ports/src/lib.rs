//! What a start needs of the world: one trait per port.
//!
//! Each method's documentation is its contract: what an implementation MUST return for absent,
//! unreachable and corrupt. The suites in `contract` (feature `testing`) hold every
//! implementation to it; the same feature generates mocks. No type here belongs to SQLite, PKCS#11 or Nginx.

mod assets;
mod backup_error;
mod backups;
mod causes;
mod clock;
mod credential_store;
mod crypto_error;
mod dek_cache;
mod dek_crypto;
mod fault_kind;
mod file_error;
mod file_system;
mod history;
mod lock;
mod node_store;
mod output;
mod pin_memory;
mod pin_memory_error;
mod pins;
mod sealing;
mod secret;
mod store_error;
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
pub mod fake;

pub use assets::{AssetError, AssetReport, Messages, StaticFiles};
pub use backup_error::BackupError;
pub use backups::{
    Backup, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, MadeSnapshot,
    Purpose, Snapshot, StagedBackup,
};
pub use causes::{causes, in_full};
pub use clock::{Clock, SystemClock};
pub use credential_store::{
    ActiveCredential, CredentialOrigin, CredentialStore, CredentialWithKey, NewCredential,
    SealedKey, StoredCredential, StoredKey,
};
pub use crypto_error::{Cause, CryptoError};
pub use dek_cache::{CachedDek, DekCache, DekCacheError};
pub use dek_crypto::DekCrypto;
pub use fault_kind::FaultKind;
pub use file_error::{FileError, ResultExt};
pub use file_system::{FileSystem, FreeSpace, PathFacts, is_open_to_all};
pub use history::{Event, EventKind, History, HistoryEntry, HistoryRow, StartRecord, Starts};
pub use lock::{LockError, StartLock, StartLockGuard};
pub use node_store::{Migrated, NodeRecord, NodeSeen, NodeStore};
pub use output::{Level, Output};
pub use pin_memory::{MOST_UNSEEN_TRIES, PinLedger, PinMemory, TryEnd};
pub use pin_memory_error::PinMemoryError;
pub use pins::{PinError, Pins};
pub use sealing::{BackupCopy, BackupWrappedDek, KekCopy, Sealing, TokenCopy, WrappedDek};
pub use secret::{Dek, Secret};
pub use store_error::{DatabaseTrouble, ServerTrouble, StoreError};
pub use tls::{
    Assembled, CertificateDetails, CertificateFacts, CredentialFiles, Published, TlsCredential,
    TlsError, TlsIssuer, TlsSet, TlsSource, TlsStore, TlsView,
};
pub use token::{
    DekBlobs, Device, Found, Patience, PinState, ReachedModule, Token, TokenInfo, TokenModule,
    TokenQuery, TokenSession, Trial, TrialResult, WrapFormat,
};
pub use token_error::{CallFailure, TokenError, TokenName, listed};
pub use web_server::{Reload, WebServer, WebServerError};
pub use wizard_store::{WizardDirectory, WizardError, WizardStore};
#[cfg(feature = "testing")]
pub use {
    assets::{MockMessages, MockStaticFiles},
    credential_store::MockCredentialStore,
    dek_cache::MockDekCache,
    dek_crypto::MockDekCrypto,
    file_system::MockFileSystem,
    history::MockHistory,
    node_store::MockNodeStore,
    pins::MockPins,
    tls::{MockTlsIssuer, MockTlsStore},
    web_server::MockWebServer,
    wizard_store::MockWizardStore,
};
