//! Contract suite of [`Credentials`].

use crate::contract::database::{credential, dek, moment};
use crate::{CredentialKey, CredentialOrigin, Credentials, Database, Dek, FaultKind};

/// A place for one database that belongs to one case alone; nothing stands there yet.
pub trait CredentialsRig {
    /// A new value over the place.
    fn database(&self) -> Box<dyn Database>;

    /// A new value over the same place.
    fn credentials(&self) -> Box<dyn Credentials>;
}

type Case = (&'static str, fn(&dyn CredentialsRig));

const CASES: [Case; 5] = [
    ("nothing there is an empty list", |rig| {
        assert!(rig.credentials().list().unwrap().is_empty());
        assert!(rig.credentials().find("AB:CD:one", None).unwrap().is_none());
    }),
    ("newest first, one active, each with its origin", |rig| {
        rig.database().migrate().unwrap();
        save(rig, "one", CredentialOrigin::Imported, None);
        save(rig, "two", CredentialOrigin::Generated, None);
        let list = rig.credentials().list().unwrap();
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
    }),
    ("what the database saves is generated", |rig| {
        let database = rig.database();
        database.migrate().unwrap();
        let (one, facts) = credential("one");
        database
            .save_active_credential(&one, &facts, None, moment(0))
            .unwrap();
        let list = rig.credentials().list().unwrap();
        assert_eq!(list[0].origin, CredentialOrigin::Generated);
    }),
    ("one that is not active is found, sealed or not", |rig| {
        rig.database().migrate().unwrap();
        save(rig, "one", CredentialOrigin::Imported, Some(&dek(1)));
        save(rig, "two", CredentialOrigin::Imported, Some(&dek(1)));
        let credentials = rig.credentials();
        assert!(credentials.list().unwrap()[1].is_sealed);
        let sealed = credentials.find("AB:CD:one", None).unwrap().unwrap();
        assert!(matches!(sealed.key, CredentialKey::Sealed));
        let open = credentials.find("AB:CD:one", Some(&dek(1))).unwrap();
        assert!(matches!(open.unwrap().key, CredentialKey::Readable(_)));
        let other = credentials.find("AB:CD:one", Some(&dek(2))).unwrap_err();
        assert_eq!(other.kind(), FaultKind::DataCorrupt);
        assert!(credentials.find("AB:CD:three", None).unwrap().is_none());
    }),
    (
        "saved again it is active, and has the chain given last",
        |rig| {
            rig.database().migrate().unwrap();
            save(rig, "one", CredentialOrigin::Imported, None);
            save(rig, "two", CredentialOrigin::Generated, None);
            let (mut one, facts) = credential("one");
            one.chain_pem = Some("another chain".to_owned());
            rig.credentials()
                .save_active(&one, &facts, CredentialOrigin::Generated, None, moment(9))
                .unwrap();
            let list = rig.credentials().list().unwrap();
            assert_eq!(list.len(), 2);
            assert!(list[1].is_active && !list[0].is_active);
            assert_eq!(list[1].origin, CredentialOrigin::Imported);
            let found = rig.credentials().find("AB:CD:one", None).unwrap().unwrap();
            assert_eq!(found.chain_pem.as_deref(), Some("another chain"));
        },
    ),
];

fn save(rig: &dyn CredentialsRig, name: &str, origin: CredentialOrigin, dek: Option<&Dek>) {
    let (credential, facts) = credential(name);
    rig.credentials()
        .save_active(&credential, &facts, origin, dek, moment(0))
        .unwrap();
}

/// Runs every case on a fresh rig.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn suite(make: &mut dyn FnMut() -> Box<dyn CredentialsRig>) {
    for (name, case) in CASES {
        println!("credentials contract: {name}");
        case(&*make());
    }
}
