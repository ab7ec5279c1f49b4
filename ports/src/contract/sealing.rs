//! The part of the store's contract that is about the copies of the DEK.

use domain::KekId;

use super::history::noted;
use super::rig::{
    Case, StoreRig, event, known_sealing, known_token, migrated, moment, node, save_sealing,
    scrub_in_full,
};
use crate::{BackupCopy, BackupWrappedDek, EventKind, KekCopy, Sealing, TokenCopy, WrappedDek};

pub(super) const CASES: [Case; 6] = [
    ("a copy replaces what was known of its token", replaces),
    ("an empty blob is not an absent one", empty_blob),
    ("each token has a copy of its own", one_each),
    ("a backup password replaces the one before", backup_password),
    ("a token is forgotten, and nothing else", forgets),
    ("a new DEK leaves no copy of another", new_dek),
];

fn wrapped(byte: u8) -> Option<KekCopy> {
    Some(KekCopy {
        dek: WrappedDek(vec![byte]),
        at: Some(moment(i64::from(byte))),
    })
}

/// A second token.
fn other_token() -> TokenCopy {
    TokenCopy {
        kek: Some(KekId::new(&[3; 16]).unwrap()),
        pending_kek: None,
        retired_keks: Vec::new(),
        wrapped: wrapped(3),
        ..known_token("4567cdef")
    }
}

fn replaces(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut sealing = known_sealing();
    save_sealing(&*database, &sealing);
    assert_eq!(node(&*database).sealing, sealing);
    let mut copy = known_token("0123abcd");
    copy.label = "another label".to_owned();
    copy.kek = Some(KekId::new(&[10; 16]).unwrap());
    copy.wrapped = wrapped(10);
    sealing.copies = vec![copy.clone()];
    database.save_copy(&copy, None, None).unwrap();
    database.save_copy(&copy, None, None).unwrap();
    drop(database);
    assert_eq!(node(&*rig.store()).sealing, sealing);
    copy.kek = None;
    copy.wrapped = None;
    sealing.copies = vec![copy.clone()];
    sealing.check_value = Some(vec![9; 16]);
    let check_value = sealing.check_value.as_deref();
    rig.store().save_copy(&copy, check_value, None).unwrap();
    assert_eq!(node(&*rig.store()).sealing, sealing);
}

fn empty_blob(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let sealing = Sealing {
        check_value: Some(Vec::new()),
        backup: Some(BackupCopy {
            dek: BackupWrappedDek(Vec::new()),
            set_at: None,
        }),
        copies: vec![TokenCopy {
            wrapped: Some(KekCopy {
                dek: WrappedDek(Vec::new()),
                at: None,
            }),
            ..known_token("0123abcd")
        }],
    };
    save_sealing(&*database, &sealing);
    let stored = node(&*database).sealing;
    assert_eq!(stored, sealing);
}

fn one_each(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut sealing = known_sealing();
    save_sealing(&*database, &sealing);
    let recovered = event(EventKind::Recovered, moment(1));
    let other = other_token();
    database.save_copy(&other, None, Some(&recovered)).unwrap();
    sealing.copies.push(other);
    drop(database);
    let database = rig.store();
    assert_eq!(node(&*database).sealing, sealing);
    // The first one again, whose KEKs have ids that the second one has too: each is a token's own.
    let mut first = known_token("0123abcd");
    first.retired_keks = vec![KekId::new(&[3; 16]).unwrap()];
    database.save_copy(&first, None, None).unwrap();
    sealing.copies = vec![first, other_token()];
    assert_eq!(node(&*database).sealing, sealing);
}

fn backup_password(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut sealing = known_sealing();
    save_sealing(&*database, &sealing);
    let other = BackupCopy {
        dek: BackupWrappedDek(vec![7]),
        set_at: Some(moment(8)),
    };
    let set = event(EventKind::PasswordSet, moment(8));
    database.save_backup_copy(&other, &set).unwrap();
    sealing.backup = Some(other);
    assert_eq!(node(&*database).sealing, sealing);
    let last = &noted(&*database)[0];
    assert_eq!(
        (last.0.as_str(), last.1),
        ("backup_password_set", moment(8))
    );
}

fn forgets(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut sealing = known_sealing();
    sealing.copies.push(other_token());
    save_sealing(&*database, &sealing);
    let before = noted(&*database).len();
    let forgotten = event(EventKind::TokenForgotten, moment(9));
    assert!(!database.forget_copy("ffff", &forgotten).unwrap());
    assert_eq!(noted(&*database).len(), before, "nothing was done");
    assert_eq!(node(&*database).sealing, sealing);
    assert!(database.forget_copy("0123abcd", &forgotten).unwrap());
    assert!(!database.forget_copy("0123abcd", &forgotten).unwrap());
    sealing.copies.remove(0);
    drop(database);
    let database = rig.store();
    assert!(node(&*database).is_scrub_due);
    scrub_in_full(&*database);
    assert_eq!(node(&*database).sealing, sealing);
    let noted = noted(&*database);
    assert_eq!(noted.len(), before + 1);
    assert_eq!(noted[0], ("token_forgotten".to_owned(), moment(9)));
    // The last one goes as well: that is the caller's to decide.
    assert!(database.forget_copy("4567cdef", &forgotten).unwrap());
    sealing.copies.clear();
    assert_eq!(node(&*database).sealing, sealing);
    database
        .save_copy(&known_token("0123abcd"), None, None)
        .unwrap();
    sealing.copies.push(known_token("0123abcd"));
    assert_eq!(node(&*database).sealing, sealing);
}

fn new_dek(rig: &dyn StoreRig) {
    let database = migrated(rig);
    let mut sealing = known_sealing();
    sealing.copies.push(other_token());
    save_sealing(&*database, &sealing);
    let mut copy = other_token();
    copy.wrapped = wrapped(11);
    database.replace_dek(&copy, &[1; 16]).unwrap();
    drop(database);
    let expected = Sealing {
        check_value: Some(vec![1; 16]),
        backup: None,
        copies: vec![copy],
    };
    assert_eq!(node(&*rig.store()).sealing, expected);
}
