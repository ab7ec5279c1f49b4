//! Private keys in the file: clear where they may be, and nowhere once they are sealed.

use ports::contract::store::{self, active, credential, dek, event, moment};
use ports::{
    ActiveCredential, CredentialOrigin, DekCrypto as _, EventKind, NewCredential, StoredKey,
};

use super::every_port::*;
use super::{Rig, no_more_pages};
use crate::RingDekCrypto;
use crate::sqlite::path_state::beside;

fn save(rig: &Rig, name: &str) {
    store::save(&rig.open(), name, None);
}

fn holds_clear_key(rig: &Rig) -> bool {
    let needle = b"clear-key-of-";
    rig.listing()
        .values()
        .any(|(bytes, ..)| bytes.windows(needle.len()).any(|window| window == needle))
}

#[test]
fn no_clear_byte_is_left_after_sealing() {
    let rig = Rig::migrated();
    for number in 0..40 {
        save(&rig, &format!("number {number}"));
    }
    assert!(holds_clear_key(&rig), "the search must be able to find it");
    assert_eq!(rig.open().seal_all(&dek(1)).unwrap(), 40);
    rig.open().scrub().unwrap();
    assert!(!holds_clear_key(&rig));
}

#[test]
fn no_clear_byte_is_left_in_a_write_ahead_log() {
    let rig = Rig::migrated();
    rig.edit("PRAGMA journal_mode = WAL");
    save(&rig, "one");
    let database = rig.open();
    assert_eq!(database.seal_all(&dek(1)).unwrap(), 1);
    database.scrub().unwrap();
    // The connection is open still, and with it the log.
    assert!(beside(&rig.path, "-wal").exists());
    assert!(!holds_clear_key(&rig));
}

#[test]
fn no_clear_byte_is_left_after_a_credential_is_saved_again_sealed() {
    let rig = Rig::migrated();
    save(&rig, "one");
    store::save(&rig.open(), "one", Some(&dek(1)));
    rig.open().scrub().unwrap();
    assert!(!holds_clear_key(&rig));
}

#[test]
fn a_sealing_that_was_killed_before_the_rebuild_is_finished_by_a_scrub() {
    let rig = Rig::migrated();
    save(&rig, "one");
    // As after the commit of the sealing: the mark is set, and old bytes stand in a free page.
    rig.edit(
        "PRAGMA secure_delete = OFF; CREATE TABLE t (x); \
         INSERT INTO t SELECT private_key FROM credential; DROP TABLE t; \
         UPDATE credential SET private_key = X'00', private_key_format = 'sealed_v1'; \
         PRAGMA user_version = 1;",
    );
    assert!(holds_clear_key(&rig));
    rig.open().scrub().unwrap();
    assert!(!holds_clear_key(&rig));
    let before = rig.listing();
    rig.open().scrub().unwrap();
    assert_eq!(rig.listing(), before, "and once is enough");
}

#[test]
fn c10_saving_the_same_credential_again_writes_nothing() {
    for key in [None, Some(dek(1))] {
        let rig = Rig::migrated();
        let save = || store::save(&rig.open(), "one", key.as_ref());
        save();
        let before = rig.listing();
        save();
        assert_eq!(rig.listing(), before);
    }
}

#[test]
fn c13_an_active_credential_that_cannot_be_read_is_not_taken_for_none() {
    let read = |sql: &str| {
        let rig = Rig::migrated();
        save(&rig, "one");
        rig.edit(sql);
        store::node(&rig.open()).active_credential
    };
    for sql in [
        "UPDATE credential SET private_key = NULL",
        "UPDATE credential SET private_key = X''",
        "UPDATE credential SET private_key_format = NULL",
    ] {
        let ActiveCredential::Stored(stored) = read(sql) else {
            panic!("{sql}");
        };
        assert!(matches!(stored.key, StoredKey::Missing), "{sql}");
    }
    for sql in [
        "UPDATE credential SET certificate_pem = NULL",
        "PRAGMA foreign_keys = OFF; DELETE FROM credential",
        "UPDATE active_tls_server_credential SET credential_id = NULL",
        "PRAGMA foreign_keys = OFF; UPDATE active_tls_server_credential SET credential_id = 77",
    ] {
        let ActiveCredential::Unreadable(why) = read(sql) else {
            panic!("{sql}");
        };
        assert!(!why.is_empty());
    }
    let none = read("DELETE FROM active_tls_server_credential");
    assert!(matches!(none, ActiveCredential::None));
}

/// Whether the active key opens under the DEK.
fn opens(rig: &Rig) -> bool {
    match active(&rig.open()).key {
        StoredKey::Sealed(key) => RingDekCrypto.open_key(&dek(1), &key).is_ok(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sealed_key_does_not_open_in_another_row() {
    let rig = Rig::migrated();
    save(&rig, "one");
    save(&rig, "two");
    rig.open().seal_all(&dek(1)).unwrap();
    assert!(opens(&rig));
    rig.edit(
        "UPDATE credential SET private_key = (SELECT private_key FROM credential WHERE id = 1) \
         WHERE id = 2",
    );
    assert!(!opens(&rig));
}

#[test]
fn a_sealed_key_does_not_open_in_another_installation() {
    let rig = Rig::migrated();
    save(&rig, "one");
    rig.open().seal_all(&dek(1)).unwrap();
    rig.edit("UPDATE installation SET installation_id = lower(hex(randomblob(16)))");
    assert!(!opens(&rig));
}

#[test]
fn a_failed_save_leaves_the_database_as_it_was() {
    let rig = Rig::migrated();
    save(&rig, "one");
    let before = std::fs::read(&rig.path).unwrap();
    let (mut credential, facts) = credential("two");
    let database = rig.open();
    // The file may not grow, so that the transaction fails in the middle.
    credential.chain_pem = Some("x".repeat(100_000));
    no_more_pages(&database);
    assert!(
        database
            .save_active(
                &NewCredential {
                    credential: &credential,
                    facts: &facts,
                    origin: CredentialOrigin::Generated,
                },
                None,
                &event(EventKind::CertificateMade, moment(0))
            )
            .is_err()
    );
    assert_eq!(std::fs::read(&rig.path).unwrap(), before);
    assert_eq!(active(&database).certificate_pem, "certificate of one");
}
