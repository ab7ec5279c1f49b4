//! A look changes nothing: not the file, not its directory, not a time.

use ports::contract::store::{event, moment, start, starts_of, try_save};
use ports::{EventKind, FaultKind, NodeStore as _, Purpose};

use super::every_port::*;
use super::{OtherProcess, Rig, node};
use crate::sqlite::path_state::beside;

pub(super) fn recorded() -> Rig {
    let rig = Rig::migrated();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    rig
}

fn look_at_everything(rig: &Rig) {
    let database = rig.open_read_only();
    assert_eq!(node(&database).version.as_deref(), Some("1.0.0"));
    assert_eq!(database.rows(10).unwrap().len(), 1);
    assert!(database.list().unwrap().is_empty());
    assert_eq!(database.snapshots().unwrap().len(), 0);
}

#[test]
fn a_database_at_rest_is_read_without_a_change() {
    let rig = recorded();
    let before = rig.listing();
    look_at_everything(&rig);
    assert_eq!(node(&rig.open()).version.as_deref(), Some("1.0.0"));
    assert_eq!(rig.listing(), before);
}

/// A process that was killed in the middle of a transaction which had reached the file already.
pub(super) fn with_hot_journal() -> Rig {
    let rig = recorded();
    let other = OtherProcess::holding(
        &rig.path,
        "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; \
         UPDATE app_version SET version = '9.9.9'; \
         CREATE TABLE filler (x); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         INSERT INTO filler SELECT randomblob(1000) FROM n;",
    );
    other.kill();
    let journal = beside(&rig.path, "-journal");
    assert!(std::fs::metadata(journal).unwrap().len() > 0);
    rig
}

#[test]
fn a_hot_journal_is_seen_through_and_left_as_it_is() {
    let rig = with_hot_journal();
    let before = rig.listing();
    look_at_everything(&rig);
    assert_eq!(rig.listing(), before);
}

#[test]
fn a_start_rolls_a_hot_journal_back() {
    let rig = with_hot_journal();
    let database = rig.open();
    // In place, with the first look: that needs no room for a copy.
    assert_eq!(node(&database).version.as_deref(), Some("1.0.0"));
    assert!(!beside(&rig.path, "-journal").exists());
    database.record_start(&start("1.0.0", moment(1))).unwrap();
    assert!(!beside(&rig.path, "-journal").exists());
    assert_eq!(node(&rig.open()).version.as_deref(), Some("1.0.0"));
    let rows = database.rows(10).unwrap();
    assert_eq!((rows.len(), starts_of(&rows[0]).0), (1, 2));
}

#[test]
fn a_write_ahead_log_is_seen_through_and_left_as_it_is() {
    let rig = recorded();
    let other = OtherProcess::holding(
        &rig.path,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
         UPDATE app_version SET container_id = 'from the log';",
    );
    other.kill();
    assert!(beside(&rig.path, "-wal").exists());
    let before = rig.listing();
    look_at_everything(&rig);
    let seen = node(&rig.open_read_only());
    assert_eq!(seen.container_id.as_deref(), Some("from the log"));
    assert_eq!(rig.listing(), before);
    // A start brings it into the file.
    let seen = node(&rig.open());
    assert_eq!(seen.container_id.as_deref(), Some("from the log"));
    assert!(!beside(&rig.path, "-wal").exists());

    // At rest it has no files beside it, and gets none.
    let rig = recorded();
    rig.edit("PRAGMA journal_mode = WAL");
    let before = rig.listing();
    assert_eq!(before.len(), 1);
    look_at_everything(&rig);
    assert_eq!(rig.listing(), before);
}

#[test]
fn a_write_keeps_the_journal_mode_that_an_operator_chose() {
    let rig = recorded();
    rig.edit("PRAGMA journal_mode = WAL");
    rig.open().record_start(&start("1.0.1", moment(1))).unwrap();
    assert_eq!(std::fs::read(&rig.path).unwrap()[19], 2);
    assert_eq!(node(&rig.open()).version.as_deref(), Some("1.0.1"));
}

#[test]
fn every_write_through_a_read_only_value_is_refused() {
    let rig = recorded();
    let before = rig.listing();
    let database = rig.open_read_only();
    node(&database);
    let errors = [
        database.migrate().unwrap_err(),
        database
            .record_start(&start("2.0.0", moment(0)))
            .unwrap_err(),
        database
            .mark_setup_completed(&event(EventKind::SetUp, moment(0)))
            .unwrap_err(),
        try_save(&database, "one", None).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), FaultKind::Internal);
    }
    let error = database
        .snapshot(Purpose::BeforeUpgrade, moment(0))
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::Internal);
    assert_eq!(rig.listing(), before);
}
