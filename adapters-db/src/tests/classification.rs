//! C4: what is not a missing or an empty file is never "not initialised".

use domain::StorageType;
use ports::contract::failed::Failed;
use ports::{FaultKind, Migrated, NodeStore as _};

use super::{OtherProcess, Rig, node, put, read_fault};
use crate::SqliteDatabase;

fn is_not_initialised(rig: &Rig) -> bool {
    [rig.open(), rig.open_read_only()]
        .iter()
        .all(|database| matches!(database.read(), Ok(None)))
}

/// Both ways of opening say the same, and neither changes a byte.
pub(super) fn assert_fault(rig: &Rig, kind: FaultKind, says: &str) {
    let before = rig.listing();
    for database in [rig.open(), rig.open_read_only()] {
        let fault = read_fault(&database);
        assert_eq!(fault.kind(), kind, "{fault} {:?}", fault.causes());
        assert!(fault.to_string().contains(says), "{fault}");
        assert!(fault.to_string().contains(rig.path.as_str()), "{fault}");
    }
    // Nor does a start go on to write.
    assert!(!matches!(rig.open().migrate(), Ok(Migrated::Applied(_))));
    assert_eq!(rig.listing(), before);
}

#[test]
fn c04_a_missing_and_an_empty_file_are_not_initialised() {
    let rig = Rig::new();
    assert!(is_not_initialised(&rig));
    assert!(rig.listing().is_empty());
    rig.put(b"");
    assert!(is_not_initialised(&rig));
    rig.open().migrate().unwrap();
    node(&rig.open());
}

#[test]
fn c04_a_missing_directory_is_an_error_unless_it_may_be_made() {
    let rig = Rig::new();
    let path = rig.root.join("not/mounted/trustpoint.db");
    let strict = SqliteDatabase::new(path.clone(), rig.snapshots.clone(), false);
    for fault in [read_fault(&strict), strict.migrate().unwrap_err().into()] {
        assert_eq!(fault.kind(), FaultKind::DatabaseUnavailable);
        assert!(fault.to_string().contains("not/mounted"), "{fault}");
    }
    let reader = |create_parents| {
        SqliteDatabase::read_only(path.clone(), rig.snapshots.clone(), create_parents)
    };
    assert_eq!(
        read_fault(&reader(false)).kind(),
        FaultKind::DatabaseUnavailable
    );
    assert!(matches!(reader(true).read(), Ok(None)));

    let making = SqliteDatabase::new(path.clone(), rig.snapshots.clone(), true);
    assert!(matches!(making.read(), Ok(None)));
    assert!(rig.listing().is_empty());
    making.migrate().unwrap();
    node(&SqliteDatabase::new(path, rig.snapshots.clone(), false));
}

#[test]
fn c04_what_is_no_file_is_unavailable() {
    let rig = Rig::new();
    std::fs::create_dir(&rig.path).unwrap();
    assert_fault(&rig, FaultKind::DatabaseUnavailable, "directory");

    let rig = Rig::new();
    std::os::unix::fs::symlink(rig.root.join("gone/x.db"), &rig.path).unwrap();
    for database in [rig.open(), rig.open_read_only()] {
        let fault = read_fault(&database);
        assert_eq!(fault.kind(), FaultKind::DatabaseUnavailable);
    }

    let rig = Rig::new();
    let through_file = rig.root.join("file/trustpoint.db");
    put(&rig.root.join("file"), b"x");
    let database = SqliteDatabase::new(through_file, rig.snapshots.clone(), true);
    assert_eq!(read_fault(&database).kind(), FaultKind::DatabaseUnavailable);
}

#[test]
fn c04_noise_is_corrupt() {
    for length in [1, 15, 16, 100, 5000] {
        let rig = Rig::new();
        let noise: Vec<u8> = (0..length).map(|n: u32| (n * 151 + 7) as u8).collect();
        rig.put(&noise);
        assert_fault(&rig, FaultKind::DataCorrupt, "no SQLite database");
    }
    let rig = Rig::new();
    rig.put(b"SQLite format 3\0 and then something else");
    assert_fault(&rig, FaultKind::DataCorrupt, "");
}

#[test]
fn c04_a_cut_database_is_corrupt_wherever_it_is_cut() {
    let whole = std::fs::read(&Rig::migrated().path).unwrap();
    for length in [99, 100, 4095, 4096, 8192, whole.len() / 2, whole.len() - 1] {
        let rig = Rig::new();
        rig.put(&whole[..length]);
        assert_fault(&rig, FaultKind::DataCorrupt, "");
    }
}

#[test]
fn c04_a_damaged_page_is_corrupt() {
    let rig = Rig::migrated();
    let mut bytes = std::fs::read(&rig.path).unwrap();
    for byte in &mut bytes[4096..4196] {
        *byte = 0xA5;
    }
    rig.put(&bytes);
    assert_fault(&rig, FaultKind::DataCorrupt, "damaged");
}

#[test]
fn c04_a_database_of_another_application_is_corrupt_and_left_alone() {
    let rig = Rig::new();
    rig.edit("CREATE TABLE album (id INTEGER); INSERT INTO album VALUES (1);");
    assert_fault(&rig, FaultKind::DataCorrupt, "another application");
    let rig = Rig::new();
    rig.edit("PRAGMA application_id = 42; CREATE TABLE app_version (id INTEGER);");
    assert_fault(&rig, FaultKind::DataCorrupt, "another application");
    let rig = Rig::new();
    rig.edit("PRAGMA application_id = 42; VACUUM;");
    assert_fault(&rig, FaultKind::DataCorrupt, "another application");
}

#[test]
fn c04_a_first_migration_that_never_finished_is_not_initialised() {
    let rig = Rig::new();
    rig.edit(
        "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name VARCHAR(255), \
         applied_on VARCHAR(255), checksum VARCHAR(255));",
    );
    assert!(is_not_initialised(&rig));
    rig.open().migrate().unwrap();
    node(&rig.open());
}

#[test]
fn c04_a_lost_migration_history_is_corrupt() {
    let rig = Rig::migrated();
    rig.edit("DELETE FROM refinery_schema_history");
    assert_fault(&rig, FaultKind::DataCorrupt, "migration history");
    rig.edit("DROP TABLE refinery_schema_history");
    assert_fault(&rig, FaultKind::DataCorrupt, "migration history");
}

#[test]
fn c04_a_missing_table_is_corrupt() {
    for table in ["app_version", "pkcs11_token", "installation"] {
        let rig = Rig::migrated();
        rig.edit(&format!("DROP TABLE {table}"));
        assert_fault(
            &rig,
            FaultKind::DataCorrupt,
            &format!("the table \"{table}\" is missing"),
        );
    }
}

#[test]
fn a_missing_row_of_the_installation_is_corrupt() {
    let rig = Rig::migrated();
    rig.edit("DELETE FROM installation");
    for database in [rig.open(), rig.open_read_only()] {
        let fault = read_fault(&database);
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
        assert!(fault.to_string().contains("installation"), "{fault}");
    }
}

#[test]
fn c04_a_locked_database_is_unavailable() {
    let rig = Rig::migrated();
    let other = OtherProcess::holding(&rig.path, "BEGIN EXCLUSIVE;");
    for database in [rig.open(), rig.open_read_only()] {
        let fault = read_fault(&database);
        assert_eq!(fault.kind(), FaultKind::DatabaseUnavailable, "{fault}");
    }
    drop(other);
    node(&rig.open());
}

#[test]
fn a_writer_in_the_way_fails_a_write_and_no_read() {
    let rig = Rig::migrated();
    let _other = OtherProcess::holding(&rig.path, "BEGIN IMMEDIATE;");
    let database = rig.open();
    node(&database);
    let fault = database.set_storage(StorageType::Software).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::DatabaseUnavailable);
}

#[test]
fn who_is_in_the_way_of_a_write_is_found_without_one() {
    let rig = Rig::migrated();
    let before = rig.listing();
    rig.open().check_writable().unwrap();
    for statements in ["BEGIN IMMEDIATE;", "BEGIN; SELECT * FROM app_version;"] {
        let _other = OtherProcess::holding(&rig.path, statements);
        let fault = Failed::from(rig.open().check_writable().unwrap_err());
        assert_eq!(fault.kind(), FaultKind::DatabaseUnavailable, "{fault}");
        // Whoever only looks is in nobody's way.
        rig.open_read_only().check_writable().unwrap();
    }
    assert_eq!(rig.listing(), before);
}

#[test]
fn a_log_or_a_journal_without_its_database_is_corrupt() {
    let rig = Rig::new();
    for suffix in ["-wal", "-journal"] {
        let orphan = crate::sqlite::path_state::beside(&rig.path, suffix);
        put(&orphan, b"old pages");
        let fault = read_fault(&rig.open());
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
        assert!(fault.to_string().contains(orphan.as_str()), "{fault}");
        std::fs::remove_file(orphan).unwrap();
    }
}

#[test]
fn a_restored_dump_is_ours_without_its_application_id() {
    let rig = Rig::migrated();
    rig.edit("PRAGMA application_id = 0");
    node(&rig.open());
}

#[test]
fn a_file_that_is_replaced_is_opened_again() {
    let rig = Rig::migrated();
    let database = rig.open();
    let first = node(&database).installation;
    let other = Rig::migrated();
    std::fs::rename(&other.path, &rig.path).unwrap();
    let second = node(&database).installation;
    assert_ne!(first, second);
    std::fs::remove_file(&rig.path).unwrap();
    assert!(matches!(database.read(), Ok(None)));
}

#[test]
fn c04_no_permission_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::migrated();
    let set = |path: &camino::Utf8Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&rig.path, 0o000);
    if std::fs::File::open(&rig.path).is_ok() {
        return; // Root may read everything; the test needs another user.
    }
    for database in [rig.open(), rig.open_read_only()] {
        assert_eq!(read_fault(&database).kind(), FaultKind::Denied);
    }
    // Readable, and neither the file nor its directory can be written.
    set(&rig.path, 0o400);
    let denied = |rig: &Rig| {
        let fault = rig.open().set_storage(StorageType::Software);
        assert_eq!(fault.unwrap_err().kind(), FaultKind::Denied);
    };
    denied(&rig);
    node(&rig.open());
    set(&rig.path, 0o600);
    set(&rig.root, 0o500);
    denied(&rig);
    node(&rig.open());
    set(&rig.root, 0o000);
    assert_eq!(read_fault(&rig.open()).kind(), FaultKind::Denied);
    set(&rig.root, 0o700);
}
