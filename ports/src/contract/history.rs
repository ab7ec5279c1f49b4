//! The part of the store's contract that is about the history.

use time::OffsetDateTime;

use super::rig::{
    Case, StoreRig, event, known_token, migrated, moment, node, nothing_there, start, starts_of,
};
use crate::{EventKind, History, HistoryEntry, HistoryRow, Starts};

pub(super) const CASES: [Case; 3] = [
    (
        "c05: record_start records version, container and row",
        records,
    ),
    ("c10: equal starts share a row", equal_starts),
    ("what commands did stands among the starts", events),
];

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
    let row = HistoryRow {
        at: record.at,
        version: record.version,
        container_id: record.container_id,
        node: Some(record.node),
        user_id: Some(record.user_id),
        entry: HistoryEntry::Starts(Starts {
            first_at: record.at,
            count: 1,
            startup_scenario: record.startup_scenario,
            restore_scenario: record.restore_scenario,
            outcome: record.outcome,
            changes: record.changes,
        }),
    };
    assert_eq!(rows[0], row);
}

/// What commands did, newest first.
pub(super) fn noted(history: &dyn History) -> Vec<(String, OffsetDateTime)> {
    let rows = history.rows(1000).unwrap();
    rows.into_iter()
        .filter_map(|row| match row.entry {
            HistoryEntry::Event { name, .. } => Some((name, row.at)),
            HistoryEntry::Starts(_) => None,
        })
        .collect()
}

fn events(rig: &dyn StoreRig) {
    let database = rig.store();
    let made = event(EventKind::BackupMade, moment(1));
    assert!(!database.note(&made).unwrap(), "there is no database");
    nothing_there(rig);
    database.migrate().unwrap();
    assert_eq!(node(&*database).last_backup_at, None);
    database.record_start(&start("1.0.0", moment(0))).unwrap();
    assert!(database.note(&made).unwrap());
    let recovered = event(EventKind::Recovered, moment(2));
    let token = known_token("0123abcd");
    database.save_copy(&token, None, Some(&recovered)).unwrap();
    database.save_copy(&token, None, None).unwrap();
    // Not the newest row: one of its own, in the order in which it happened.
    database.record_start(&start("1.0.0", moment(3))).unwrap();
    drop(database);
    let database = rig.store();
    assert_eq!(node(&*database).last_backup_at, Some(moment(1)));
    let rows = database.rows(10).unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(starts_of(&rows[0]), (1, moment(3)));
    assert_eq!(
        rows[1],
        HistoryRow {
            at: recovered.at,
            version: recovered.version,
            container_id: recovered.container_id,
            node: Some(recovered.node),
            user_id: Some(recovered.user_id),
            entry: HistoryEntry::Event {
                name: "recovered".to_owned(),
                detail: recovered.detail,
            },
        }
    );
    for second in 10..250 {
        let made = event(EventKind::BackupMade, moment(second));
        assert!(database.note(&made).unwrap());
    }
    let noted = noted(&*database);
    assert_eq!(noted.len(), 201, "200 backups, and the recovery is kept");
    assert_eq!(noted[0], ("backup_made".to_owned(), moment(249)));
    assert_eq!(noted[200].0, "recovered");
}

fn outcome_of(row: &HistoryRow) -> &str {
    match &row.entry {
        HistoryEntry::Starts(starts) => &starts.outcome,
        HistoryEntry::Event { .. } => panic!("{row:?}"),
    }
}

fn equal_starts(rig: &dyn StoreRig) {
    let database = migrated(rig);
    for second in 0..3 {
        database
            .record_start(&start("1.0.0", moment(second)))
            .unwrap();
    }
    let mut other = start("1.0.0", moment(3));
    other.outcome = "setup_required".to_owned();
    database.record_start(&other).unwrap();
    // Equal to an older row, not to the newest: a row of its own.
    database.record_start(&start("1.0.0", moment(4))).unwrap();
    let rows = database.rows(10).unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (outcome_of(row), starts_of(row).0))
        .collect();
    assert_eq!(seen, [("ready", 1), ("setup_required", 1), ("ready", 3)]);
    assert_eq!((starts_of(&rows[2]).1, rows[2].at), (moment(0), moment(2)));
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
