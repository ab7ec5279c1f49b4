//! Files that somebody altered: nothing in them is run, and none is read for ever.

use domain::SchemaState;
use ports::FaultKind;
use ports::contract::backups::BackupsRig as _;
use ports::contract::store::{moment, start};

use super::classification::assert_fault;
use super::every_port::*;
use super::{Rig, node, read_fault};

const FOR_EVER: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

#[test]
fn c04_what_is_added_to_the_schema_is_refused_by_name() {
    let trigger = format!(
        "CREATE TRIGGER busy AFTER UPDATE ON app_version BEGIN \
         INSERT INTO startup_history (starts) {FOR_EVER} SELECT i FROM n; END"
    );
    for (sql, says) in [
        (
            trigger.as_str(),
            "the trigger \"busy\" (on \"app_version\") is not ours",
        ),
        (
            "CREATE VIEW seen AS SELECT * FROM credential",
            "the view \"seen\"",
        ),
        (
            "CREATE VIRTUAL TABLE words USING fts5(x)",
            "the virtual table \"words\"",
        ),
        ("CREATE TABLE more (x)", "the table \"more\" is not ours"),
        (
            "CREATE INDEX more ON credential (source)",
            "the index \"more\" (on \"credential\")",
        ),
        (
            "DROP INDEX pkcs11_key_token",
            "the index \"pkcs11_key_token\" is missing",
        ),
    ] {
        let rig = Rig::migrated();
        rig.edit(sql);
        assert_fault(&rig, FaultKind::DataCorrupt, says);
        let fault = rig.open().record_start(&start("1.0.0", moment(0)));
        assert_eq!(fault.unwrap_err().kind(), FaultKind::DataCorrupt, "{sql}");
    }
}

#[test]
fn c04_what_is_changed_in_the_schema_is_refused_by_name() {
    let rewrite = |from: &str, to: &str| {
        format!(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}')"
        )
    };
    for (sql, table) in [
        (rewrite("pkcs8_pem", "pkcs9_pem"), "credential"),
        (
            rewrite("container_id TEXT", "container TEXT"),
            "app_version",
        ),
        (
            rewrite("container_id TEXT", "container_id TEXT AS (version)"),
            "app_version",
        ),
        (
            "ALTER TABLE installation RENAME COLUMN created_at TO made_at".to_owned(),
            "installation",
        ),
        (
            "ALTER TABLE pkcs11_token DROP COLUMN serial".to_owned(),
            "pkcs11_token",
        ),
        (
            format!(
                "DROP TABLE app_version; \
                 CREATE VIEW app_version AS {FOR_EVER} SELECT i AS id, '1' AS version FROM n"
            ),
            "app_version",
        ),
        (
            "DROP TABLE app_version; CREATE VIRTUAL TABLE app_version USING fts5(id, version)"
                .to_owned(),
            "app_version",
        ),
    ] {
        let rig = Rig::migrated();
        rig.edit(&sql);
        assert_fault(
            &rig,
            FaultKind::DataCorrupt,
            &format!("\"{table}\" is another"),
        );
    }
}

#[test]
fn c04_what_sqlite_makes_itself_is_ours() {
    let rig = Rig::migrated();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    rig.edit(
        "ANALYZE; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE t; VACUUM",
    );
    let made = rig.lines("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_s%'");
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!(node(&rig.open()).schema, SchemaState::Current);
    rig.open().record_start(&start("1.0.0", moment(1))).unwrap();
}

#[test]
fn c04_a_backup_that_was_put_in_place_by_hand_is_a_database() {
    let rig = Rig::migrated();
    rig.edit("CREATE TABLE backup_manifest (name TEXT, value TEXT)");
    node(&rig.open());
    rig.edit("DROP TABLE backup_manifest; CREATE VIEW backup_manifest AS SELECT 1 AS name");
    assert_fault(&rig, FaultKind::DataCorrupt, "the view \"backup_manifest\"");
}

#[test]
fn c04_a_backup_with_a_trigger_of_somebody_else_is_refused() {
    let rig = Rig::migrated();
    rig.edit(
        "CREATE TRIGGER busy AFTER UPDATE ON app_version BEGIN \
         UPDATE installation SET installation_id = ''; END",
    );
    let fault = rig
        .backups()
        .verify(ports::BackupSource::File(rig.path.as_str()))
        .unwrap_err();
    assert_eq!(fault.kind(), FaultKind::DataCorrupt);
    assert!(
        fault.to_string().contains("the trigger \"busy\""),
        "{fault}"
    );
}

#[test]
fn c06_a_newer_schema_may_have_what_it_wants_and_none_of_it_is_run() {
    let rig = Rig::migrated();
    rig.edit(&format!(
        "INSERT INTO refinery_schema_history VALUES (99, 'later', '2030-01-01T00:00:00Z', '1'); \
         DROP TABLE app_version; \
         CREATE VIEW app_version AS {FOR_EVER} SELECT -i AS id, '1' AS version, '' AS container_id \
         FROM n; \
         CREATE TABLE later (id INTEGER)"
    ));
    for database in [rig.open(), rig.open_read_only()] {
        let record = node(&database);
        assert_eq!(record.schema, SchemaState::Newer);
        assert_eq!(record.version, None);
    }
}

#[test]
fn names_and_values_of_any_length_are_cut_in_what_is_said() {
    let long = format!("\u{1b}[2J{}", "x".repeat(1_000_000));
    for sql in [
        format!("CREATE TABLE \"{long}\" (x)"),
        format!("CREATE VIEW \"{long}\" AS SELECT 1"),
        format!("PRAGMA application_id = 7; CREATE TABLE \"{long}\" (x)"),
        format!("INSERT INTO app_version (id, version) VALUES (1, '{long}')"),
        format!(
            "PRAGMA ignore_check_constraints = ON; \
             INSERT INTO key_storage_config (id, storage_type) VALUES (1, '{long}')"
        ),
        format!(
            "PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = 'CREATE BANANA {long}' WHERE name = 'credential'"
        ),
    ] {
        let rig = Rig::migrated();
        rig.edit(&sql);
        for database in [rig.open(), rig.open_read_only()] {
            let fault = read_fault(&database);
            assert_eq!(fault.kind(), FaultKind::DataCorrupt);
            let said = format!("{fault} {}", fault.causes().join(" "));
            assert!(said.len() < 2000, "{} bytes", said.len());
            assert!(!fault.to_string().contains('\u{1b}'), "{fault}");
        }
    }
}

/// A schema of 20 levels in which every page leads to the next one many times.
fn pages_without_end() -> Vec<u8> {
    const PAGE: usize = 512;
    const LEVELS: usize = 18;
    let mut file = vec![0; PAGE * (LEVELS + 1)];
    for level in 0..LEVELS {
        let (start, header) = (level * PAGE, if level == 0 { 100 } else { 0 });
        let next = u32::try_from(level + 2).unwrap().to_be_bytes();
        let page = &mut file[start..start + PAGE];
        let cells = (PAGE - header - 12) / 7;
        let content = PAGE - cells * 5;
        page[header] = 5;
        page[header + 3..header + 5].copy_from_slice(&(cells as u16).to_be_bytes());
        page[header + 5..header + 7].copy_from_slice(&(content as u16).to_be_bytes());
        page[header + 8..header + 12].copy_from_slice(&next);
        for cell in 0..cells {
            let (pointer, place) = (header + 12 + cell * 2, content + cell * 5);
            page[pointer..pointer + 2].copy_from_slice(&(place as u16).to_be_bytes());
            page[place..place + 4].copy_from_slice(&next);
            page[place + 4] = 1;
        }
    }
    // The last one: one row of five NULLs.
    let leaf = LEVELS * PAGE;
    file[leaf..leaf + 8].copy_from_slice(&[13, 0, 0, 0, 1, 1, 0xF8, 0]);
    file[leaf + 8..leaf + 10].copy_from_slice(&504_u16.to_be_bytes());
    file[leaf + 504..leaf + 512].copy_from_slice(&[6, 1, 6, 0, 0, 0, 0, 0]);
    let header: [(usize, &[u8]); 6] = [
        (0, b"SQLite format 3\0\x02\0\x01\x01\0\x40\x20\x20"),
        (28, &[0, 0, 0, 19]),
        (24, &[0, 0, 0, 1]),
        (44, &[0, 0, 0, 4]),
        (56, &[0, 0, 0, 1]),
        (92, &[0, 0, 0, 1]),
    ];
    for (place, bytes) in header {
        file[place..place + bytes.len()].copy_from_slice(bytes);
    }
    file
}

#[test]
fn c04_pages_that_lead_to_one_another_without_end_are_not_read_for_ever() {
    let rig = Rig::new();
    rig.put(&pages_without_end());
    for database in [rig.open(), rig.open_read_only()] {
        let fault = read_fault(&database);
        assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{fault}");
        assert!(
            fault.causes().join(" ").contains("interrupt"),
            "{:?}",
            fault.causes()
        );
    }
}
