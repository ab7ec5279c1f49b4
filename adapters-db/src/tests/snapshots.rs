//! Snapshots (C15).

use camino::Utf8PathBuf;
use ports::{Purpose, Snapshot};

use ports::contract::store::{active, moment, save, start};

use super::every_port::*;
use super::{Rig, mode_of, node, put};
use crate::SqliteDatabase;

fn recorded() -> Rig {
    let rig = Rig::migrated();
    let database = rig.open();
    database.record_start(&start("1.0.0", moment(0))).unwrap();
    save(&database, "one", None);
    rig
}

/// Makes one, which is listed as the newest.
fn make(database: &SqliteDatabase, second: i64) -> Snapshot {
    database
        .snapshot(Purpose::BeforeUpgrade, moment(second))
        .unwrap()
        .snapshot
}

fn path_of(snapshot: &Snapshot) -> Utf8PathBuf {
    Utf8PathBuf::from(&snapshot.path)
}

#[test]
fn c15_a_snapshot_is_a_database_of_its_own() {
    let rig = recorded();
    let made = make(&rig.open(), 0);
    let path = path_of(&made);
    assert_eq!(
        path.file_name(),
        Some("trustpoint-1.0.0-20260921T141320Z.db")
    );
    assert_eq!(mode_of(&path), 0o600);
    assert_eq!(mode_of(&rig.snapshots), 0o700);
    let copy = SqliteDatabase::new(path, rig.root.join("none"), false);
    assert_eq!(node(&copy).installation, node(&rig.open()).installation);
    assert_eq!(active(&copy).certificate_pem, "certificate of one");
}

#[test]
fn c15_a_snapshot_of_a_write_ahead_log_needs_no_file_beside_it() {
    let rig = recorded();
    rig.edit("PRAGMA journal_mode = WAL");
    let database = rig.open();
    database.record_start(&start("1.0.1", moment(1))).unwrap();
    let made = make(&database, 0);
    assert_eq!(made.version.as_deref(), Some("1.0.1"));
    assert_eq!(std::fs::read(path_of(&made)).unwrap()[19], 1);
    assert_eq!(rig.snapshots.read_dir_utf8().unwrap().count(), 1);
}

#[test]
fn snapshots_of_one_second_are_in_the_order_of_making_and_the_oldest_goes() {
    let rig = recorded();
    let database = rig.open();
    let mut made = Vec::new();
    for version in ["1.6.0", "1.10.0", "1.2.0", "1.10.0", "1.9.0", "1.11.0"] {
        database.record_start(&start(version, moment(1))).unwrap();
        made.push(
            database
                .snapshot(Purpose::BeforeUpgrade, moment(0))
                .unwrap(),
        );
    }
    let paths: Vec<_> = made.iter().map(|made| &made.snapshot.path).collect();
    let listed = database.snapshots().unwrap();
    let listed: Vec<_> = listed.iter().rev().map(|snapshot| &snapshot.path).collect();
    assert_eq!(listed, paths[1..]);
    assert_eq!(made[5].removed, [paths[0].clone()]);
    assert!(made[..5].iter().all(|made| made.removed.is_empty()));
}

#[test]
fn a_clock_that_went_back_does_not_cost_the_new_snapshot() {
    let rig = recorded();
    let database = rig.open();
    for number in 0..5 {
        database
            .record_start(&start(&format!("1.0.{number}"), moment(0)))
            .unwrap();
        make(&database, number);
    }
    database.record_start(&start("2.0.0", moment(0))).unwrap();
    let made = make(&database, -1000);
    assert!(path_of(&made).exists());
    assert_eq!(database.snapshots().unwrap().len(), 5);
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_is_not_ours_stays() {
    let rig = recorded();
    std::fs::create_dir(&rig.snapshots).unwrap();
    let leftover = rig.snapshots.join(".trustpoint-abc123.tmp");
    let foreign = rig.snapshots.join("notes.txt");
    put(&leftover, b"half");
    put(&foreign, b"mine");
    make(&rig.open(), 0);
    assert!(!leftover.exists());
    assert!(foreign.exists());
    assert_eq!(rig.open().snapshots().unwrap().len(), 1);
}

#[test]
fn a_snapshot_that_cannot_be_read_is_listed_without_a_version() {
    let rig = recorded();
    std::fs::create_dir(&rig.snapshots).unwrap();
    put(
        &rig.snapshots.join("trustpoint-1.0.0-20250101T000000Z.db"),
        b"noise",
    );
    let before = rig.listing();
    let listed = rig.open_read_only().snapshots().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].version, None);
    assert_eq!(rig.listing(), before);
}

#[test]
fn the_version_is_the_one_inside_not_the_one_in_the_name() {
    let rig = recorded();
    let made = make(&rig.open(), 0);
    let renamed = rig.snapshots.join("trustpoint-9.9.9-20260101T000000Z.db");
    std::fs::rename(&made.path, renamed).unwrap();
    let listed = rig.open().snapshots().unwrap();
    assert_eq!(listed[0].version.as_deref(), Some("1.0.0"));
}

#[test]
fn a_read_only_snapshot_directory_fails_and_changes_nothing() {
    let rig = recorded();
    put(&rig.snapshots, b"a file where the directory should be");
    let before = rig.listing();
    assert!(
        rig.open()
            .snapshot(Purpose::BeforeUpgrade, moment(0))
            .is_err()
    );
    assert_eq!(rig.listing(), before);
}
