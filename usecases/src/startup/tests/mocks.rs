//! A node of mocks: what is looked at has answers, and a change is expected or fails the test.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use domain::{DEK_EXPECTED_LENGTH, InstallationId, SchemaState, SetupWizardState, StorageType};
use ports::{
    ActiveCredential, AssetReport, Backup, BackupError, BackupManifest, BackupOrigin, BackupSource,
    BackupTarget, Backups, CachedDek, CertificateFacts, CredentialOrigin, CredentialWithKey, Dek,
    KekCopy, Level, LockError, MadeSnapshot, Migrated, MockCredentialStore, MockDekCache,
    MockDekCrypto, MockFileSystem, MockHistory, MockMessages, MockNodeStore, MockPins,
    MockStaticFiles, MockTlsIssuer, MockTlsStore, MockWebServer, MockWizardStore, NodeRecord,
    Output, Published, Purpose, Sealing, Secret, Snapshot, StagedBackup, StartLock, StartLockGuard,
    StoredKey, SystemClock, TlsCredential, TlsView, TokenCopy, TokenSession as _, WizardDirectory,
};
use time::OffsetDateTime;

use super::token::{FakeToken, LABEL};
use crate::node::{Host, Node, Secrets, Settings, Store, Web};

const FINGERPRINT: &str = "AB:CD";

/// The ports of a node.
pub struct Mocks {
    pub record: Option<NodeRecord>,
    pub wizard_state: Option<SetupWizardState>,
    pub node: MockNodeStore,
    pub credentials: MockCredentialStore,
    pub history: MockHistory,
    pub cache: MockDekCache,
    pub tls: MockTlsStore,
    pub static_files: MockStaticFiles,
    pub messages: MockMessages,
    pub wizard: MockWizardStore,
    token: FakeToken,
    cached: CachedDek,
    is_opted_in: bool,
    /// How often the lock of a database that nodes share was taken, where they share one.
    pub shared_lock: Option<Rc<Cell<usize>>>,
}

/// The DEK of the node.
pub fn dek() -> Dek {
    Dek::from_bytes(&[3; DEK_EXPECTED_LENGTH]).unwrap()
}

impl Mocks {
    /// A node that was never started.
    pub fn without_database() -> Self {
        Self {
            record: None,
            wizard_state: None,
            node: MockNodeStore::new(),
            credentials: MockCredentialStore::new(),
            history: MockHistory::new(),
            cache: MockDekCache::new(),
            tls: MockTlsStore::new(),
            static_files: MockStaticFiles::new(),
            messages: MockMessages::new(),
            wizard: MockWizardStore::new(),
            token: FakeToken::default(),
            cached: CachedDek::Absent,
            is_opted_in: false,
            shared_lock: None,
        }
    }

    /// A node that was set up with this token.
    pub fn softhsm(token: &FakeToken, cached: CachedDek) -> Self {
        Self {
            record: Some(record(token)),
            wizard_state: Some(SetupWizardState::Completed),
            token: token.clone(),
            cached,
            ..Self::without_database()
        }
    }

    /// The same with a physical HSM, opted in to or not.
    pub fn physical(token: &FakeToken, cached: CachedDek, is_opted_in: bool) -> Self {
        let mut mocks = Self::softhsm(token, cached);
        if let Some(record) = &mut mocks.record {
            record.storage = Some(StorageType::PhysicalHsm);
        }
        mocks.is_opted_in = is_opted_in;
        mocks
    }

    /// Every change works that is not expected otherwise: mockall asks the oldest expectation
    /// first.
    pub fn allow_changes(&mut self) {
        let applied = || Ok(Migrated::Applied(vec!["V1".to_owned()]));
        self.node.expect_migrate().returning(applied);
        self.node.expect_configure_storage().returning(|_| Ok(true));
        let mark = self.node.expect_mark_setup_completed();
        mark.returning(|_| Ok(true));
        let save = self.credentials.expect_save_active();
        save.returning(|_, _, _| Ok(()));
        self.history.expect_record_start().returning(|_| Ok(()));
        self.cache.expect_write().returning(|_| Ok(true));
        self.cache.expect_remove().returning(|| Ok(true));
        let publish = self.tls.expect_publish();
        publish.returning(|_, _| Ok(Published::Replaced));
        let collect = self.static_files.expect_collect();
        collect.returning(|| Ok(AssetReport::default()));
        let compile = self.messages.expect_compile();
        compile.returning(|| Ok(AssetReport::default()));
        self.wizard.expect_go_to().returning(|_| Ok(true));
    }

    /// With the answers to all that is only looked at.
    pub fn into_node(mut self) -> Node {
        let record = self.record;
        self.node
            .expect_read()
            .returning(move || Ok(record.clone()));
        self.node.expect_check_writable().returning(|| Ok(()));
        self.credentials.expect_list().returning(|| Ok(Vec::new()));
        let cached = self.cached;
        let is_cached = !matches!(cached, CachedDek::Absent);
        self.cache
            .expect_read()
            .returning(move || Ok(cached.clone()));
        self.cache.expect_exists().returning(move || Ok(is_cached));
        self.cache.expect_check().returning(|| Ok(None));
        self.cache.expect_check_writable().returning(|| Ok(()));
        self.cache.expect_path().returning(|| "dek".to_owned());
        self.tls.expect_view().returning(|| Ok(TlsView::Absent));
        self.tls.expect_directory().returning(|| "t".to_owned());
        self.tls.expect_check_writable().returning(|| Ok(()));
        self.static_files.expect_check().returning(|| Ok(()));
        self.messages.expect_check().returning(|| Ok(()));
        let state = self.wizard_state;
        let directory = state.map_or(WizardDirectory::Empty, WizardDirectory::State);
        self.wizard.expect_read().returning(move || Ok(directory));
        self.wizard.expect_check_writable().returning(|| Ok(()));
        self.wizard.expect_directory().returning(|| "w".to_owned());
        let mut file_system = MockFileSystem::new();
        file_system.expect_look().returning(|_| Ok(None));
        Node {
            store: Store {
                record: Box::new(self.node),
                credentials: Box::new(self.credentials),
                backups: Box::new(NoBackups),
                history: Box::new(self.history),
                lock: self
                    .shared_lock
                    .map(|taken| Box::new(CountedLock(taken)) as Box<dyn StartLock>),
            },
            secrets: Secrets {
                module: Box::new(self.token.clone()),
                blobs: Box::new(self.token),
                pins: Box::new(pins()),
                crypto: Box::new(crypto()),
                cache: Box::new(self.cache),
            },
            web: Web {
                tls: Box::new(self.tls),
                issuer: Box::new(issuer()),
                static_files: Box::new(self.static_files),
                messages: Box::new(self.messages),
                server: Box::new(MockWebServer::new()),
            },
            host: Host {
                wizard: Box::new(self.wizard),
                file_system: Box::new(file_system),
                lock: Box::new(FreeLock),
                clock: Box::new(SystemClock),
                output: Box::new(Silent),
            },
            settings: Settings {
                physical_hsm: self.is_opted_in,
                ..settings()
            },
        }
    }
}

fn record(token: &FakeToken) -> NodeRecord {
    let kek = FakeToken::kek();
    NodeRecord {
        schema: SchemaState::Current,
        version: Some("1.0.0".to_owned()),
        container_id: None,
        installation: Some(InstallationId::from_random([1; 16])),
        setup_completed_at: Some(OffsetDateTime::UNIX_EPOCH),
        storage: Some(StorageType::SoftHsm),
        sealing: Sealing {
            check_value: Some(check_value(&dek())),
            backup: None,
            copies: vec![TokenCopy {
                label: LABEL.to_owned(),
                serial: token.serial(),
                module_path: "m".to_owned(),
                wrapped: Some(KekCopy {
                    dek: token.wrap_dek(&kek, &dek()).unwrap(),
                    at: None,
                }),
                kek: Some(kek),
                pending_kek: None,
                retired_keks: Vec::new(),
            }],
        },
        active_credential: ActiveCredential::Stored(Box::new(CredentialWithKey {
            sha256_fingerprint: FINGERPRINT.to_owned(),
            certificate_pem: "certificate".to_owned(),
            chain_pem: None,
            key: StoredKey::Clear(Secret::from("key".to_owned())),
            origin: CredentialOrigin::Generated,
        })),
        last_backup_at: None,
        is_scrub_due: false,
        nodes: Vec::new(),
    }
}

fn check_value(dek: &Dek) -> Vec<u8> {
    dek.expose().iter().take(1).copied().collect()
}

fn pins() -> MockPins {
    let mut pins = MockPins::new();
    let pin = || Ok(Secret::from("1234".to_owned()));
    pins.expect_user_pin().returning(pin);
    pins
}

fn crypto() -> MockDekCrypto {
    let mut crypto = MockDekCrypto::new();
    crypto.expect_check_value().returning(check_value);
    crypto
}

fn issuer() -> MockTlsIssuer {
    let mut issuer = MockTlsIssuer::new();
    issuer.expect_issue().returning(|_, _| {
        Ok(TlsCredential {
            private_key_pem: Secret::from("key".to_owned()),
            certificate_pem: "certificate".to_owned(),
            chain_pem: None,
        })
    });
    issuer.expect_inspect().returning(|_| {
        let now = OffsetDateTime::now_utc();
        Ok(CertificateFacts {
            sha256_fingerprint: FINGERPRINT.to_owned(),
            not_before: now,
            not_after: now + time::Duration::days(300),
        })
    });
    issuer
}

fn settings() -> Settings {
    Settings {
        app_version: "1.0.0".parse().unwrap(),
        container_id: "c".into(),
        node_id: "n".into(),
        user_id: 0,
        token_label: LABEL.into(),
        token_serial: None,
        module_path: "m".into(),
        hsm_expected: false,
        hsm_configured: false,
        hsm_wait: Duration::ZERO,
        physical_hsm: false,
        san: vec!["127.0.0.1".into()],
        san_configured: false,
        database_path: "d".into(),
        lock_directory: ".".into(),
    }
}

struct Silent;

impl Output for Silent {
    fn line(&self, _level: Level, _line: &str) {}
}

struct CountedLock(Rc<Cell<usize>>);

impl StartLock for CountedLock {
    fn acquire(
        &self,
        _wait: Duration,
        _waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError> {
        self.0.set(self.0.get() + 1);
        Ok(Box::new(FreeLock))
    }
}

struct FreeLock;

impl StartLockGuard for FreeLock {}

impl StartLock for FreeLock {
    fn acquire(
        &self,
        _wait: Duration,
        _waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError> {
        Ok(Box::new(Self))
    }
}

/// Nothing was ever copied. mockall cannot mock a method that is given a closure.
struct NoBackups;

impl Backups for NoBackups {
    fn check_snapshot(&self) -> Result<(), BackupError> {
        panic!("no start asks for this")
    }

    fn snapshot(
        &self,
        _purpose: Purpose,
        _now: OffsetDateTime,
    ) -> Result<MadeSnapshot, BackupError> {
        panic!("no start asks for this")
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(Vec::new())
    }

    fn create(
        &self,
        _target: BackupTarget<'_>,
        _origin: &BackupOrigin,
    ) -> Result<BackupManifest, BackupError> {
        panic!("no start asks for this")
    }

    fn verify(&self, _source: BackupSource<'_>) -> Result<Backup, BackupError> {
        panic!("no start asks for this")
    }

    fn stage(&self, _source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, BackupError> {
        panic!("no start asks for this")
    }
}
