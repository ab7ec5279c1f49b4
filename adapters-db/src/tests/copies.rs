//! Private copies: what they show, and what is left of them.

use std::time::Duration;

use ports::FaultKind;
use ports::contract::store::{moment, start};
use rusqlite::Connection;

use super::every_port::*;
use super::reading::{recorded, with_hot_journal};
use super::{OtherProcess, node, put};
use crate::SqliteDatabase;
use crate::sqlite::path_state::beside;
use crate::sqlite::private_copy::recovered;

fn version(connection: &Connection) -> String {
    connection
        .query_row("SELECT version FROM app_version", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_copy_is_read_on_when_it_has_no_name_any_more() {
    let rig = with_hot_journal();
    let connection = recovered(&rig.path, Duration::ZERO).unwrap();
    let path = camino::Utf8PathBuf::from(connection.path().unwrap());
    let directory = path.parent().unwrap();
    assert!(directory.as_str().starts_with("/dev/shm/"), "{path}");
    assert!(!directory.exists());
    assert_eq!(version(&connection), "1.0.0");

    // Whoever takes its name has no say in what is read.
    // Locked before it has that name, or the next reader takes it for a leftover.
    let theirs = tempfile::tempdir_in("/dev/shm").unwrap().keep();
    let held = std::fs::File::open(&theirs).unwrap();
    held.lock().unwrap();
    std::fs::rename(&theirs, directory).unwrap();
    let journal = beside(&path, "-journal");
    let of_another = std::fs::read(beside(&rig.path, "-journal")).unwrap();
    put(&journal, &of_another);
    put(&path, b"another");
    assert_eq!(version(&connection), "1.0.0");
    let files = std::fs::read_dir(directory).unwrap().count();
    assert_eq!(std::fs::read(&journal).unwrap(), of_another);
    std::fs::remove_dir_all(directory).unwrap();
    assert_eq!(files, 2);
    assert!(connection.execute("DELETE FROM app_version", []).is_err());
}

#[test]
fn what_belongs_to_a_database_behind_a_link_is_found() {
    let rig = with_hot_journal();
    let link = rig.root.join("link.db");
    std::os::unix::fs::symlink(&rig.path, &link).unwrap();
    let before = rig.listing();
    let reader = SqliteDatabase::read_only(link.clone(), rig.snapshots.clone(), false);
    assert_eq!(node(&reader).version.as_deref(), Some("1.0.0"));
    assert_eq!(rig.listing(), before);
    let writer = SqliteDatabase::new(link, rig.snapshots.clone(), false);
    assert_eq!(node(&writer).version.as_deref(), Some("1.0.0"));
    assert!(!beside(&rig.path, "-journal").exists());
}

#[test]
fn a_log_beside_a_database_that_does_not_speak_of_it_is_left_as_it_is() {
    let rig = recorded();
    let journalled = std::fs::read(&rig.path).unwrap();
    OtherProcess::holding(
        &rig.path,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
         UPDATE app_version SET container_id = 'from the log';",
    )
    .kill();
    std::fs::remove_file(beside(&rig.path, "-shm")).unwrap();
    rig.put(&journalled);
    let before = rig.listing();
    let seen = node(&rig.open_read_only());
    assert_eq!(seen.container_id.as_deref(), Some("from the log"));
    assert_eq!(rig.listing(), before);
}

#[test]
fn clones_share_one_connection() {
    let rig = recorded();
    let (one, other) = (rig.open_read_only(), rig.open_read_only());
    let clone = one.clone();
    node(&one);
    // A lock that a second descriptor would have dropped keeps writers away.
    let read = |database: &SqliteDatabase| {
        database
            .connections()
            .read(|db, _| Ok(db.connection.path().map(str::to_owned)))
    };
    assert_eq!(read(&clone).unwrap(), read(&other).unwrap());
    let inside = one.connections().read(|_, _| clone.rows(1));
    assert_eq!(inside.unwrap_err().kind(), FaultKind::Internal);
    let outside = one.connections().read(|_, _| other.rows(1));
    assert_eq!(outside.unwrap().unwrap().len(), 1);
}

#[test]
fn a_second_start_in_one_process_keeps_the_locks_of_the_first() {
    let rig = recorded();
    rig.edit("PRAGMA journal_mode = WAL");
    let (first, second) = (rig.open(), rig.open());
    node(&first);
    node(&second);
    first.record_start(&start("1.0.1", moment(1))).unwrap();
    drop(second);
    // The last other connection to end would have thrown the log away, were the lock not there.
    OtherProcess::holding(&rig.path, "SELECT count(*) FROM app_version;").end();
    assert!(beside(&rig.path, "-wal").exists());
    first.record_start(&start("1.0.2", moment(2))).unwrap();
    drop(first);
    assert_eq!(
        node(&rig.open_read_only()).version.as_deref(),
        Some("1.0.2")
    );
}
