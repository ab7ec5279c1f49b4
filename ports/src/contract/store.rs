//! Contract suite of the ports of a node's database: [`NodeStore`], [`CredentialStore`],
//! [`History`] (in `history.rs`; the copies of the DEK are in `sealing.rs`), and the snapshots of [`Backups`].

use domain::{SchemaState, StorageType};

use crate::{
    ActiveCredential, CertificateFacts, CredentialOrigin, CredentialStore, CredentialWithKey, Dek,
    EventKind, Migrated, NewCredential, NodeStore, Purpose, Sealing, Secret, StoreError, StoredKey,
    TlsCredential,
};

use super::history::{self, noted};
use super::rig::{Case, migrated, nothing_there};
pub use super::rig::{
    Store, StoreRig, event, known_sealing, known_token, moment, node, save_sealing, scrub_in_full,
    start, starts_of,
};
use super::sealing;

const CASES: [Case; 18] = [
    ("c04: nothing there is not initialised", nothing_there),
    ("reading creates nothing", reading_creates_nothing),
    ("writing before the first migration is refused", too_early),
    ("migrate initialises, once", migrates),
    ("c23: the installation id stays", identity_stays),
    ("the storage is configured once, and set at will", storage),
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
    ("c15: a snapshot, and none of the same state", snapshots),
    ("what another value has written is seen", sees_others),
];

/// Runs every case on a fresh rig.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn suite(make: &mut dyn FnMut() -> Box<dyn StoreRig>) {
    for (name, case) in CASES
        .into_iter()
        .chain(sealing::CASES)
        .chain(history::CASES)
    {
        println!("store contract: {name}");
        case(&*make());
    }
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
    let kind = EventKind::CertificateMade;
    store.save_active(&new, dek, &event(kind, moment(0)))
}

fn is_sealed(credential: &CredentialWithKey) -> bool {
    matches!(credential.key, StoredKey::Sealed(_))
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
    assert!(
        database
            .snapshot(Purpose::BeforeUpgrade, moment(0))
            .is_err()
    );
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
    assert_eq!(record.sealing, Sealing::default());
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
    assert!(!node(&*database).is_scrub_due);
    save(&*database, "one", Some(&dek(1)));
    assert!(node(&*database).is_scrub_due);
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
    assert!(node(&*database).is_scrub_due);
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
    let activated = EventKind::CertificateActivated;
    let event = event(activated, moment(9));
    database.save_active(&again, None, &event).unwrap();
    let events = noted(&*database).len();
    database.save_active(&again, None, &event).unwrap();
    assert_eq!(noted(&*database).len(), events, "nothing was changed");
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
    let set_up = |second| event(EventKind::SetUp, moment(second));
    let reset = event(EventKind::SetupReset, moment(7));
    assert!(!database.clear_setup_mark(&reset).unwrap());
    assert!(database.mark_setup_completed(&set_up(5)).unwrap());
    assert!(!database.mark_setup_completed(&set_up(6)).unwrap());
    drop(database);
    let database = rig.store();
    assert_eq!(node(&*database).setup_completed_at, Some(moment(5)));
    assert!(database.clear_setup_mark(&reset).unwrap());
    assert!(!database.clear_setup_mark(&reset).unwrap());
    assert_eq!(node(&*database).setup_completed_at, None);
    let noted = noted(&*database);
    let names: Vec<_> = noted
        .iter()
        .map(|(name, at)| (name.as_str(), *at))
        .collect();
    assert_eq!(names, [("setup_reset", moment(7)), ("set_up", moment(5))]);
}

fn snapshots(rig: &dyn StoreRig) {
    let database = migrated(rig);
    for number in 0..7 {
        let version = format!("1.0.{number}");
        database.record_start(&start(&version, moment(0))).unwrap();
        let before = database.snapshots().unwrap();
        let made = database
            .snapshot(Purpose::BeforeUpgrade, moment(number))
            .unwrap();
        assert_eq!(made.snapshot.version.as_deref(), Some(version.as_str()));
        let again = database
            .snapshot(Purpose::BeforeUpgrade, moment(number))
            .unwrap();
        assert_eq!(
            (again.is_new, again.snapshot),
            (false, made.snapshot.clone())
        );
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
    // What may hold the only copy of a key is kept, whatever comes after it.
    let key = database.snapshot(Purpose::KeepsKey, moment(0)).unwrap();
    assert!(key.is_new);
    for number in 10..17 {
        let version = format!("2.0.{number}");
        database.record_start(&start(&version, moment(0))).unwrap();
        let made = database
            .snapshot(Purpose::BeforeUpgrade, moment(number))
            .unwrap();
        assert!(!made.removed.contains(&key.snapshot.path));
    }
    assert!(database.snapshots().unwrap().contains(&key.snapshot));
    drop(database);
    assert_eq!(rig.store().snapshots().unwrap().len(), 6);
}
