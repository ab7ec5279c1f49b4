//! What a start needs of the world: one trait per port.
//!
//! Each method's documentation is its contract: what an implementation MUST return for absent,
//! unreachable and corrupt. The suites in `contract` (feature `testing`) hold every
//! implementation to it; the same feature generates mocks. No type here belongs to SQLite, PKCS#11 or Nginx.

mod assets;
mod backup_error;
mod backups;
mod clock;
mod credential_store;
mod crypto_error;
mod dek_cache;
mod dek_crypto;
mod fault;
mod fault_kind;
mod file_error;
mod hints;
mod history;
mod lock;
mod node_store;
mod output;
mod pin_memory;
mod pins;
mod places;
mod secret;
mod store_error;
mod tls;
mod token;
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

pub use assets::{AssetReport, Messages, StaticFiles};
pub use backup_error::BackupError;
pub use backups::{
    Backup, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, MadeSnapshot,
    Snapshot, StagedBackup,
};
pub use clock::{Clock, SystemClock};
pub use credential_store::{
    ActiveCredential, CredentialOrigin, CredentialStore, CredentialWithKey, NewCredential,
    SealedKey, StoredCredential, StoredKey,
};
pub use crypto_error::{Cause, CryptoError};
pub use dek_cache::{CachedDek, DekCache};
pub use dek_crypto::DekCrypto;
pub use fault::{Fault, ResultExt};
pub use fault_kind::FaultKind;
pub use file_error::{FileError, FileResultExt};
pub use history::{History, HistoryRow, StartRecord};
pub use lock::{StartLock, StartLockGuard};
pub use node_store::{BackupWrappedDek, Migrated, NodeRecord, NodeStore, TokenRecord, WrappedDek};
pub use output::{Level, Output};
pub use pin_memory::{MOST_UNSEEN_TRIES, PinLedger, PinMemory, TryEnd};
pub use pins::Pins;
pub use places::{PlaceFacts, Places, Room, is_open_to_all};
pub use secret::{Dek, Secret};
pub use store_error::{DatabaseTrouble, StoreError};
pub use tls::{
    Assembled, CertificateDetails, CertificateFacts, CredentialFiles, Published, TlsCredential,
    TlsIssuer, TlsSet, TlsSource, TlsStore, TlsView,
};
pub use token::{
    DekBlobs, Found, PinState, ReachedModule, Token, TokenInfo, TokenModule, TokenQuery,
    TokenSession, WrapFormat,
};

pub use web_server::{Reload, WebServer};
pub use wizard_store::{WizardDirectory, WizardStore};
#[cfg(feature = "testing")]
pub use {
    assets::{MockMessages, MockStaticFiles},
    credential_store::MockCredentialStore,
    dek_cache::MockDekCache,
    dek_crypto::MockDekCrypto,
    history::MockHistory,
    node_store::MockNodeStore,
    pins::MockPins,
    places::MockPlaces,
    tls::{MockTlsIssuer, MockTlsStore},
    web_server::MockWebServer,
    wizard_store::MockWizardStore,
};
