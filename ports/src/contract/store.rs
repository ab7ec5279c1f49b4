//! Contract suite of the ports of a node's database: [`NodeStore`], [`CredentialStore`],
//! [`History`], and the snapshots of [`Backups`].

use domain::{KekId, SchemaState, StorageType};
use time::{Duration, OffsetDateTime};

use crate::{
    ActiveCredential, BackupWrappedDek, Backups, CertificateFacts, CredentialOrigin,
    CredentialStore, CredentialWithKey, Dek, History, Migrated, NewCredential, NodeRecord,
    NodeStore, Secret, StartRecord, StoreError, StoredKey, TlsCredential, TokenRecord, WrappedDek,
};

/// All ports of one database.
pub trait Store: NodeStore + CredentialStore + History + Backups {}

impl<T: NodeStore + CredentialStore + History + Backups> Store for T {}

/// A place for one database that belongs to one case alone; nothing stands there yet.
pub trait StoreRig {
    /// A new value over the place, as a new start has it. The one before is dropped by then.
    fn store(&self) -> Box<dyn Store>;
}

type Case = (&'static str, fn(&dyn StoreRig));

const CASES: [Case; 22] = [
    ("c04: nothing there is not initialised", nothing_there),
    ("reading creates nothing", reading_creates_nothing),
    ("writing before the first migration is refused", too_early),
    ("migrate initialises, once", migrates),
    ("c23: the installation id stays", identity_stays),
    ("the storage is configured once, and set at will", storage),
    ("the token replaces what was known", token),
    ("an empty blob is not an absent one", empty_blob),
    ("no active credential is none", no_credential),
    ("a clear credential reads back", clear_credential),
    (
        "a sealed credential says what it is bound to",
        sealed_credential,
    ),
    ("the credential before stays", credential_before_stays),
    (
        "a credential saved again is sealed, and never unsealed",
        saved_again,
    ),
    ("seal_all seals each key once", seals_all),
    ("newest first, one active, each with its origin", lists),
    (
        "one that is not active is found, sealed or not",
        finds_inactive,
    ),
    (
        "saved again it is active, and has the chain given last",
        activates_again,
    ),
    ("c09: the setup mark", setup_mark),
    (
        "c05: record_start records version, container and row",
        records,
    ),
    ("c10: equal starts share a row", equal_starts),
    ("c15: a snapshot, and none of the same state", snapshots),
    ("what another value has written is seen", sees_others),
];

/// Runs every case on a fresh rig.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn suite(make: &mut dyn FnMut() -> Box<dyn StoreRig>) {
    for (name, case) in CASES {
        println!("store contract: {name}");
        case(&*make());
    }
}

/// A moment, `seconds` after a fixed one.
#[must_use]
pub fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap() + Duration::seconds(seconds)
}

/// A DEK that is known by its byte.
#[must_use]
pub fn dek(byte: u8) -> Dek {
    Dek::from_bytes(&[byte; 32]).unwrap()
}

/// A credential whose parts carry `name`; no real key.
#[must_use]
pub fn credential(name: &str) -> (TlsCredential, CertificateFacts) {
    let credential = TlsCredential {
        private_key_pem: Secret::from(format!(
            "-----BEGIN PRIVATE KEY-----\nclear-key-of-{name}\n-----END PRIVATE KEY-----\n"
        )),
        certificate_pem: format!("certificate of {name}"),
        chain_pem: (name != "chainless").then(|| format!("chain of {name}")),
    };
    let facts = CertificateFacts {
        sha256_fingerprint: format!("AB:CD:{name}"),
        not_before: moment(-86_400),
        not_after: moment(365 * 86_400),
    };
    (credential, facts)
}

/// A token with all that can be known of one.
#[must_use]
pub fn known_token() -> TokenRecord {
    TokenRecord {
        label: "Contract-Token".to_owned(),
        serial: "0123abcd".to_owned(),
        module_path: "/usr/lib/module.so".to_owned(),
        kek: Some(KekId::new(&[7; 16]).unwrap()),
        pending_kek: Some(KekId::new(&[9; 16]).unwrap()),
        retired_keks: vec![KekId::new(&[6; 16]).unwrap(), KekId::new(&[5; 16]).unwrap()],
        encrypted_dek: Some(WrappedDek(vec![1, 2, 3])),
        backup_encrypted_dek: Some(BackupWrappedDek(vec![4, 5, 6])),
        backup_password_set_at: Some(moment(0)),
        dek_check_value: Some(vec![8; 16]),
    }
}

/// A start of the version.
#[must_use]
pub fn start(version: &str, at: OffsetDateTime) -> StartRecord {
    StartRecord {
        version: version.to_owned(),
        container_id: "node-1".to_owned(),
        at,
        startup_scenario: "VERSION_MATCH".to_owned(),
        restore_scenario: None,
        outcome: "ready".to_owned(),
        changes: "migrate_database,record_start".to_owned(),
    }
}

/// The node, which must be initialised.
///
/// # Panics
/// Panics if it is not.
pub fn node(store: &dyn NodeStore) -> NodeRecord {
    store.read().unwrap().unwrap()
}

/// The active credential, which must be readable.
///
/// # Panics
/// Panics if it is not.
pub fn active(store: &dyn NodeStore) -> CredentialWithKey {
    match node(store).active_credential {
        ActiveCredential::Stored(stored) => *stored,
        other => panic!("{other:?}"),
    }
}

/// Saves the credential of this name as one that was made here, and activates it.
///
/// # Errors
/// See [`CredentialStore::save_active`].
pub fn try_save(
    store: &dyn CredentialStore,
    name: &str,
    dek: Option<&Dek>,
) -> Result<(), StoreError> {
    save_from(store, name, CredentialOrigin::Generated, dek)
}

/// The same, which must work.
///
/// # Panics
/// Panics if it does not.
pub fn save(store: &dyn CredentialStore, name: &str, dek: Option<&Dek>) {
    try_save(store, name, dek).unwrap();
}

fn save_from(
    store: &dyn CredentialStore,
    name: &str,
    origin: CredentialOrigin,
    dek: Option<&Dek>,
) -> Result<(), StoreError> {
    let (credential, facts) = credential(name);
    let new = NewCredential {
        credential: &credential,
        facts: &facts,
        origin,
    };
    store.save_active(&new, dek, moment(0))
}

fn migrated(rig: &dyn StoreRig) -> Box<dyn Store> {
    let store = rig.store();
    store.migrate().unwrap();
    store
}

fn is_sealed(credential: &CredentialWithKey) -> bool {
    matches!(credential.key, StoredKey::Sealed(_))
}

fn nothing_there(rig: &dyn StoreRig) {
    let database = rig.store();
    for _ in 0..2 {
        assert!(database.read().unwrap().is_none());
        database.check_writable().unwrap();
    }
}

fn reading_creates_nothing(rig: &dyn StoreRig) {
    let database = rig.store();
    assert!(database.list().unwrap().is_empty());
    assert!(database.find("AB:CD:one").unwrap().is_none());
    assert!(database.rows(10).unwrap().is_empty());
    assert!(database.snapshots().unwrap().is_empty());
    database.check_integrity().unwrap();
    nothing_there(rig);
}

fn too_early(rig: &dyn StoreRig) {
    let database = rig.store();
    assert!(database.set_storage(StorageType::Software).is_err());
    assert!(database.record_start(&start("1.0.0", moment(0))).is_err());
    assert!(database.snapshot(moment(0)).is_err());
    nothing_there(rig);
}

fn migrates(rig: &dyn StoreRig) {
    let database = rig.store();
    let Migrated::Applied(names) = database.migrate().unwrap() else {
        panic!("nothing was applied");
    };
    assert!(!names.is_empty());
    database.check_integrity().unwrap();
    assert_eq!(database.migrate().unwrap(), Migrated::Unchanged);
    drop(database);
    let database = rig.store();
    assert_eq!(database.migrate().unwrap(), Migrated::Unchanged);
    let record = node(&*database);
    assert_eq!(record.schema, SchemaState::Current);
    assert!(record.installation.is_some());
    assert_eq!(record.version, None);
    assert_eq!(record.container_id, None);
    assert_eq!(record.setup_completed_at, None);
    assert_eq!(record.storage, None);
    assert_eq!(record.token, None);
}

fn identity_stays(rig: &dyn StoreRig) {
    let first = node(&*migrated(rig)).installation;
    let second = node(&*migrated(rig)).installation;
    assert!(first.is_some());
    assert_eq!(first, second);
}

fn storage(rig: &dyn StoreRig) {
    let database = migrated(rig);
    assert!(database.configure_storage(StorageType::SoftHsm).unwrap());
    assert!(!database.configure_storage(StorageType::Software).unwrap());
    assert_eq!(node(&*database).storage, Some(StorageType::SoftHsm));
    for storage in StorageType::ALL {
        assert!(database.set_storage(storage).unwrap());
        assert!(!database.set_storage(storage).unwrap());
        assert_eq!(node(&*database).storage, Some(storage));
    }
}

fn token(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut token = known_token();
    database.save_token(&token).unwrap();
    assert_eq!(node(&*database).token, Some(token.clone()));
    token.serial = "ffff".to_owned();
    token.kek = Some(KekId::new(&[9; 16]).unwrap());
    token.encrypted_dek = Some(WrappedDek(vec![9]));
    database.save_token(&token).unwrap();
    database.save_token(&token).unwrap();
    drop(database);
    assert_eq!(node(&*rig.store()).token, Some(token.clone()));
    token.kek = None;
    token.encrypted_dek = None;
    token.backup_encrypted_dek = None;
    token.dek_check_value = None;
    rig.store().save_token(&token).unwrap();
    assert_eq!(node(&*rig.store()).token, Some(token));
}

fn empty_blob(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut token = known_token();
    token.encrypted_dek = Some(WrappedDek(Vec::new()));
    database.save_token(&token).unwrap();
    assert_eq!(node(&*database).token, Some(token));
}

fn no_credential(rig: &dyn StoreRig) {
    let record = node(&*migrated(rig));
    assert!(matches!(record.active_credential, ActiveCredential::None));
}

fn clear_credential(rig: &dyn StoreRig) {
    for name in ["one", "chainless"] {
        let database = migrated(rig);
        save(&*database, name, None);
        drop(database);
        let (expected, facts) = credential(name);
        let found = active(&*rig.store());
        assert_eq!(found.sha256_fingerprint, facts.sha256_fingerprint);
        assert_eq!(found.certificate_pem, expected.certificate_pem);
        assert_eq!(found.chain_pem, expected.chain_pem);
        let is_same = |key: &Secret| *key == expected.private_key_pem;
        assert!(matches!(&found.key, StoredKey::Clear(key) if is_same(key)));
    }
}

fn sealed_credential(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save(&*database, "one", Some(&dek(1)));
    let StoredKey::Sealed(key) = active(&*database).key else {
        panic!("the key is not sealed");
    };
    assert_eq!(Some(key.installation), node(&*database).installation);
    assert_eq!(key.fingerprint, "AB:CD:one");
    let clear = b"clear-key-of";
    assert!(!key.blob.windows(clear.len()).any(|part| part == clear));
}

fn credential_before_stays(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save(&*database, "one", None);
    save(&*database, "two", None);
    assert_eq!(active(&*database).certificate_pem, "certificate of two");
    // Were the first one gone, sealing would find one key.
    assert_eq!(database.seal_all(&dek(1)).unwrap(), 2);
    save(&*database, "one", Some(&dek(1)));
    assert_eq!(active(&*database).certificate_pem, "certificate of one");
}

fn saved_again(rig: &dyn StoreRig) {
    let blob = |database: &dyn Store| match active(database).key {
        StoredKey::Sealed(key) => key.blob,
        other => panic!("{other:?}"),
    };
    let database = migrated(rig);
    save(&*database, "one", None);
    save(&*database, "one", Some(&dek(1)));
    let sealed = blob(&*database);
    save(&*database, "one", None);
    save(&*database, "one", Some(&dek(1)));
    assert_eq!(blob(&*database), sealed);
    // The key in hand belongs to the certificate: it replaces one that no DEK opens any more.
    save(&*database, "one", Some(&dek(2)));
    assert_ne!(blob(&*database), sealed);
}

fn seals_all(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save(&*database, "one", None);
    save(&*database, "two", None);
    assert_eq!(database.seal_all(&dek(1)).unwrap(), 2);
    assert_eq!(database.seal_all(&dek(1)).unwrap(), 0);
    assert!(is_sealed(&active(&*database)));
}

fn lists(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save_from(&*database, "one", CredentialOrigin::Imported, None).unwrap();
    save_from(&*database, "two", CredentialOrigin::Generated, None).unwrap();
    let list = database.list().unwrap();
    let seen: Vec<_> = list
        .iter()
        .map(|stored| (stored.origin, stored.is_active, stored.is_sealed))
        .collect();
    assert_eq!(
        seen,
        [
            (CredentialOrigin::Generated, true, false),
            (CredentialOrigin::Imported, false, false)
        ]
    );
    assert_eq!(list[0].facts, credential("two").1);
    assert_eq!(list[0].stored_at, Some(moment(0)));
}

fn finds_inactive(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save_from(&*database, "one", CredentialOrigin::Imported, Some(&dek(1))).unwrap();
    save(&*database, "two", None);
    assert!(database.list().unwrap()[1].is_sealed);
    let found = |fingerprint: &str| database.find(fingerprint).unwrap();
    let one = found("AB:CD:one").unwrap();
    assert!(is_sealed(&one));
    assert_eq!(one.origin, CredentialOrigin::Imported);
    assert!(!is_sealed(&found("AB:CD:two").unwrap()));
    assert!(found("AB:CD:three").is_none());
}

fn activates_again(rig: &dyn StoreRig) {
    let database = migrated(rig);
    save_from(&*database, "one", CredentialOrigin::Imported, None).unwrap();
    save(&*database, "two", None);
    let (mut one, facts) = credential("one");
    one.chain_pem = Some("another chain".to_owned());
    let again = NewCredential {
        credential: &one,
        facts: &facts,
        origin: CredentialOrigin::Generated,
    };
    database.save_active(&again, None, moment(9)).unwrap();
    let list = database.list().unwrap();
    assert_eq!(list.len(), 2);
    assert!(list[1].is_active && !list[0].is_active);
    assert_eq!(list[1].origin, CredentialOrigin::Imported);
    let chain = active(&*database).chain_pem;
    assert_eq!(chain.as_deref(), Some("another chain"));
}

fn sees_others(rig: &dyn StoreRig) {
    let (one, two) = (rig.store(), rig.store());
    assert!(one.read().unwrap().is_none());
    two.migrate().unwrap();
    assert_eq!(node(&*one).storage, None);
    two.set_storage(StorageType::Software).unwrap();
    assert_eq!(node(&*one).storage, Some(StorageType::Software));
    one.set_storage(StorageType::SoftHsm).unwrap();
    assert_eq!(node(&*two).storage, Some(StorageType::SoftHsm));
}

fn setup_mark(rig: &dyn StoreRig) {
    let database = migrated(rig);
    assert!(!database.clear_setup_mark().unwrap());
    assert!(database.mark_setup_completed(moment(5)).unwrap());
    assert!(!database.mark_setup_completed(moment(6)).unwrap());
    drop(database);
    let database = rig.store();
    assert_eq!(node(&*database).setup_completed_at, Some(moment(5)));
    assert!(database.clear_setup_mark().unwrap());
    assert!(!database.clear_setup_mark().unwrap());
    assert_eq!(node(&*database).setup_completed_at, None);
}

fn records(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut record = start("1.0.0+build", moment(0));
    record.restore_scenario = Some("RESTORE_SOFTWARE_WIZARD_COMPLETED".to_owned());
    database.record_start(&record).unwrap();
    drop(database);
    let database = rig.store();
    let node = node(&*database);
    assert_eq!(node.version.as_deref(), Some("1.0.0+build"));
    assert_eq!(node.container_id.as_deref(), Some("node-1"));
    let rows = database.rows(10).unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.first_at, row.last_at), (moment(0), moment(0)));
    assert_eq!(row.starts, 1);
    assert_eq!(row.version, record.version);
    assert_eq!(row.container_id, record.container_id);
    assert_eq!(row.startup_scenario, record.startup_scenario);
    assert_eq!(row.restore_scenario, record.restore_scenario);
    assert_eq!(row.outcome, record.outcome);
    assert_eq!(row.changes, record.changes);
}

fn equal_starts(rig: &dyn StoreRig) {
    let database = migrated(rig);
    for second in 0..3 {
        database
            .record_start(&start("1.0.0", moment(second)))
            .unwrap();
    }
    database.record_start(&start("1.1.0", moment(3))).unwrap();
    // Equal to an older row, not to the newest: a row of its own.
    database.record_start(&start("1.0.0", moment(4))).unwrap();
    let rows = database.rows(10).unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.version.as_str(), row.starts))
        .collect();
    assert_eq!(seen, [("1.0.0", 1), ("1.1.0", 1), ("1.0.0", 3)]);
    assert_eq!((rows[2].first_at, rows[2].last_at), (moment(0), moment(2)));
    assert_eq!(database.rows(2).unwrap(), rows[..2]);
    for number in 0..250 {
        database
            .record_start(&start(&format!("2.0.{number}"), moment(5)))
            .unwrap();
    }
    let rows = database.rows(1000).unwrap();
    assert_eq!(rows.len(), 200);
    assert_eq!(rows[0].version, "2.0.249");
}

fn snapshots(rig: &dyn StoreRig) {
    let database = migrated(rig);
    for number in 0..7 {
        let version = format!("1.0.{number}");
        database.record_start(&start(&version, moment(0))).unwrap();
        let before = database.snapshots().unwrap();
        let made = database.snapshot(moment(number)).unwrap().unwrap();
        assert_eq!(made.snapshot.version.as_deref(), Some(version.as_str()));
        assert_eq!(database.snapshot(moment(number)).unwrap(), None);
        assert_eq!(database.snapshots().unwrap()[0], made.snapshot);
        let oldest: Vec<_> = before.iter().skip(4).map(|old| old.path.clone()).collect();
        assert_eq!(made.removed, oldest, "a report has to name them");
    }
    let versions: Vec<_> = database
        .snapshots()
        .unwrap()
        .into_iter()
        .map(|snapshot| snapshot.version.unwrap())
        .collect();
    assert_eq!(versions, ["1.0.6", "1.0.5", "1.0.4", "1.0.3", "1.0.2"]);
    drop(database);
    assert_eq!(rig.store().snapshots().unwrap().len(), 5);
}
