//! What a person edits by hand, and what a start leaves behind.

use domain::{KekId, StorageType};
use ports::contract::failed::Failed;
use ports::contract::store::{
    event, known_sealing, known_token, moment, save_sealing, start, starts_of,
};
use ports::{EventKind, FaultKind, HistoryEntry, HistoryRow, WrappedDek};

use super::every_port::*;
use super::{Rig, no_more_pages, node, read_fault};

fn full() -> Rig {
    let rig = Rig::migrated();
    let database = rig.open();
    database.set_storage(StorageType::SoftHsm).unwrap();
    save_sealing(&database, &known_sealing());
    database.record_start(&start("1.0.0", moment(0))).unwrap();
    rig
}

/// The newest starts in the history.
fn rows_of_starts(rig: &Rig) -> Vec<HistoryRow> {
    let mut rows = rig.open().rows(10).unwrap();
    rows.retain(|row| matches!(row.entry, HistoryEntry::Starts(_)));
    rows
}

#[test]
fn edits_by_hand_are_read_as_they_are() {
    let rig = full();
    rig.edit("UPDATE key_storage_config SET storage_type = 'physical_hsm'");
    assert_eq!(node(&rig.open()).storage, Some(StorageType::PhysicalHsm));
    rig.edit("DELETE FROM key_storage_config");
    assert_eq!(node(&rig.open()).storage, None);
    rig.edit("UPDATE app_version SET version = 'banana'");
    assert_eq!(node(&rig.open()).version.as_deref(), Some("banana"));
    rig.edit("DELETE FROM app_version");
    assert_eq!(node(&rig.open()).version, None);

    let blob = |rig: &Rig| {
        let copy = node(&rig.open()).sealing.copies.remove(0);
        copy.wrapped.map(|wrapped| wrapped.dek)
    };
    rig.edit("UPDATE pkcs11_token SET encrypted_dek = X''");
    assert_eq!(blob(&rig), Some(WrappedDek(Vec::new())));
    rig.edit("UPDATE pkcs11_token SET encrypted_dek = 'text'");
    assert_eq!(blob(&rig), Some(WrappedDek(b"text".to_vec())));
    rig.edit("UPDATE pkcs11_token SET encrypted_dek = NULL");
    assert_eq!(blob(&rig), None);
}

#[test]
fn a_key_without_a_token_and_a_token_without_a_key_are_read() {
    let rig = full();
    rig.edit("DELETE FROM pkcs11_key");
    assert_eq!(node(&rig.open()).sealing.copies[0].kek, None);
    rig.edit("PRAGMA foreign_keys = OFF; DELETE FROM pkcs11_token; INSERT INTO pkcs11_key (key_id) VALUES (X'01')");
    assert_eq!(node(&rig.open()).sealing.copies, []);
    save_sealing(&rig.open(), &known_sealing());
    assert_eq!(node(&rig.open()).sealing, known_sealing());
}

#[test]
fn values_that_cannot_be_right_are_corrupt() {
    for sql in [
        "PRAGMA ignore_check_constraints = ON; UPDATE key_storage_config SET storage_type = 'vault'",
        "UPDATE key_storage_config SET storage_type = NULL",
        "UPDATE installation SET setup_completed_at = 'yesterday'",
        "UPDATE pkcs11_token SET serial = NULL",
        "INSERT INTO pkcs11_token (label, serial) SELECT 'twice', serial FROM pkcs11_token",
        "UPDATE sealing SET bek_set_at = 'yesterday'",
        "UPDATE sealing SET bek_encrypted_dek = 12",
        "UPDATE pkcs11_token SET encrypted_dek = 12",
        "UPDATE pkcs11_key SET key_id = zeroblob(65)",
        "UPDATE pkcs11_key SET key_id = X''",
    ] {
        let rig = full();
        rig.edit(sql);
        let fault = read_fault(&rig.open());
        assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{sql}: {fault}");
    }
}

#[test]
fn what_is_right_already_is_not_written_again() {
    let rig = full();
    let database = rig.open();
    let before = rig.listing();
    database
        .save_copy(&known_token("0123abcd"), Some(&[8; 16]), None)
        .unwrap();
    assert!(!database.set_storage(StorageType::SoftHsm).unwrap());
    assert!(
        !database
            .clear_setup_mark(&event(EventKind::SetupReset, moment(1)))
            .unwrap()
    );
    assert_eq!(rig.listing(), before);
}

#[test]
fn c16_a_key_keeps_the_time_at_which_it_was_made() {
    let rig = full();
    rig.edit("UPDATE pkcs11_key SET created_at = '2020-01-0' || id || 'T00:00:00Z'");
    let rows = || rig.lines("SELECT id, hex(key_id), created_at FROM pkcs11_key ORDER BY id");
    let before = rows();
    let mut token = known_token("0123abcd");
    token.label = "another".to_owned();
    rig.open().save_copy(&token, None, None).unwrap();
    assert_eq!(rows(), before);

    // A rotation: one more key; then the old one is retired, and the oldest taken away.
    let (old, new) = (token.kek.clone(), KekId::new(&[10; 16]).unwrap());
    token.pending_kek = Some(new.clone());
    rig.open().save_copy(&token, None, None).unwrap();
    assert!(
        rows()
            .iter()
            .all(|row| before.contains(row) || row.contains("0A0A0A0A"))
    );
    token.pending_kek = None;
    token.kek = Some(new);
    token.retired_keks.remove(0);
    token.retired_keks.extend(old);
    rig.open().save_copy(&token, None, None).unwrap();
    assert_eq!(node(&rig.open()).sealing.copies, [token]);
    let kept = rows();
    assert_eq!(
        kept.iter().filter(|row| before.contains(row)).count(),
        2,
        "{kept:?}"
    );
    assert_eq!(kept.len(), 3);
}

#[test]
fn c10_a_thousand_equal_starts_leave_the_file_no_larger() {
    let rig = full();
    let size = || std::fs::metadata(&rig.path).unwrap().len();
    let before = size();
    for second in 1..=1000 {
        let database = rig.open();
        database.migrate().unwrap();
        database
            .record_start(&start("1.0.0", moment(second)))
            .unwrap();
    }
    assert_eq!(size(), before);
    let rows = rows_of_starts(&rig);
    assert_eq!((rows.len(), starts_of(&rows[0]).0), (1, 1001));
}

#[test]
fn a_count_at_its_end_is_not_counted_on() {
    let rig = full();
    rig.edit("UPDATE startup_history SET starts = 9223372036854775807");
    for second in 1..3 {
        let database = rig.open();
        database
            .record_start(&start("1.0.0", moment(second)))
            .unwrap();
    }
    let rows = rows_of_starts(&rig);
    assert_eq!((rows.len(), starts_of(&rows[0]).0), (2, 2));
}

#[test]
fn a_lost_installation_row_stops_what_needs_it() {
    let rig = full();
    rig.edit("DELETE FROM installation");
    let fault = rig
        .open()
        .mark_setup_completed(&event(EventKind::SetUp, moment(0)))
        .unwrap_err();
    assert_eq!(fault.kind(), FaultKind::DataCorrupt);
    let fault = rig.open().read().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::DataCorrupt);
}

#[test]
fn a_full_disk_is_io_and_changes_nothing() {
    let rig = full();
    let before = std::fs::read(&rig.path).unwrap();
    let database = rig.open();
    no_more_pages(&database);
    let mut record = start("1.0.1", moment(1));
    record.changes = "x".repeat(100_000);
    let fault = Failed::from(database.record_start(&record).unwrap_err());
    assert_eq!(fault.kind(), FaultKind::Io);
    assert_eq!(std::fs::read(&rig.path).unwrap(), before);
    assert_eq!(node(&database).version.as_deref(), Some("1.0.0"));
}
