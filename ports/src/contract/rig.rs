//! What the cases of the store's contract have in common.

use domain::KekId;
use time::{Duration, OffsetDateTime};

use crate::{
    BackupCopy, BackupWrappedDek, Backups, CredentialStore, Event, EventKind, History,
    HistoryEntry, HistoryRow, KekCopy, NodeRecord, NodeStore, Sealing, StartRecord, TokenCopy,
    WrappedDek,
};

/// All ports of one database.
pub trait Store: NodeStore + CredentialStore + History + Backups {}

impl<T: NodeStore + CredentialStore + History + Backups> Store for T {}

/// A place for one database that belongs to one case alone; nothing stands there yet.
pub trait StoreRig {
    /// A new value over the place, as a new start has it. The one before is dropped by then.
    fn store(&self) -> Box<dyn Store>;
}

pub(super) type Case = (&'static str, fn(&dyn StoreRig));

/// A moment, `seconds` after a fixed one.
#[must_use]
pub fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap() + Duration::seconds(seconds)
}

/// A token with all that can be known of one, by its serial number.
#[must_use]
pub fn known_token(serial: &str) -> TokenCopy {
    TokenCopy {
        label: "Contract-Token".to_owned(),
        serial: serial.to_owned(),
        module_path: "/usr/lib/module.so".to_owned(),
        kek: Some(KekId::new(&[7; 16]).unwrap()),
        pending_kek: Some(KekId::new(&[9; 16]).unwrap()),
        retired_keks: vec![KekId::new(&[6; 16]).unwrap(), KekId::new(&[5; 16]).unwrap()],
        wrapped: Some(KekCopy {
            dek: WrappedDek(vec![1, 2, 3]),
            at: Some(moment(-5)),
        }),
    }
}

/// A node's sealing with all that can be known of one.
#[must_use]
pub fn known_sealing() -> Sealing {
    Sealing {
        check_value: Some(vec![8; 16]),
        backup: Some(BackupCopy {
            dek: BackupWrappedDek(vec![4, 5, 6]),
            set_at: Some(moment(0)),
        }),
        copies: vec![known_token("0123abcd")],
    }
}

/// Stores all of a sealing.
///
/// # Panics
/// Panics where that does not work.
pub fn save_sealing(store: &dyn NodeStore, sealing: &Sealing) {
    let check_value = sealing.check_value.as_deref();
    for copy in &sealing.copies {
        store.save_copy(copy, check_value, None).unwrap();
    }
    if let Some(backup) = &sealing.backup {
        let set = event(EventKind::PasswordSet, moment(0));
        store.save_backup_copy(backup, &set).unwrap();
    }
}

/// The node, which must be initialised.
///
/// # Panics
/// Panics if it is not.
pub fn node(store: &dyn NodeStore) -> NodeRecord {
    store.read().unwrap().unwrap()
}

/// Scrubs until nothing is left of what was removed: on a server that others use, they may see it for a while.
///
/// # Panics
/// Panics if that fails.
pub fn scrub_in_full(store: &dyn NodeStore) {
    while node(store).is_scrub_due {
        store.scrub().unwrap();
    }
}

pub(super) fn migrated(rig: &dyn StoreRig) -> Box<dyn Store> {
    let store = rig.store();
    store.migrate().unwrap();
    store
}

pub(super) fn nothing_there(rig: &dyn StoreRig) {
    let database = rig.store();
    for _ in 0..2 {
        assert!(database.read().unwrap().is_none());
        database.check_writable().unwrap();
    }
}

/// A start of the version.
#[must_use]
pub fn start(version: &str, at: OffsetDateTime) -> StartRecord {
    StartRecord {
        version: version.to_owned(),
        container_id: "node-1".to_owned(),
        node: "contract".to_owned(),
        user_id: 10_001,
        at,
        startup_scenario: "VERSION_MATCH".to_owned(),
        restore_scenario: None,
        outcome: "ready".to_owned(),
        changes: "migrate_database,record_start".to_owned(),
    }
}

/// What a command did.
#[must_use]
pub fn event(kind: EventKind, at: OffsetDateTime) -> Event {
    Event {
        at,
        version: "1.0.0".to_owned(),
        container_id: "node-1".to_owned(),
        node: "contract".to_owned(),
        user_id: 10_001,
        kind,
        detail: "what it was done to".to_owned(),
    }
}

/// How many equal starts a row stands for, and when the first of them ended.
///
/// # Panics
/// Panics where it is no row of starts.
#[must_use]
pub fn starts_of(row: &HistoryRow) -> (u64, OffsetDateTime) {
    match &row.entry {
        HistoryEntry::Starts(starts) => (starts.count, starts.first_at),
        HistoryEntry::Event { .. } => panic!("{row:?}"),
    }
}
