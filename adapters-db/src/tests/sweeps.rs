//! Whatever stands in the file: a defect of the data is never one of the program.

use domain::{KekId, StorageType};
use ports::contract::failed::Failed;
use ports::contract::store::{
    event, known_sealing, known_token, moment, save, save_sealing, start, try_save,
};
use ports::{Dek, EventKind, FaultKind, Purpose};

use super::every_port::*;
use super::{Rig, put};
use crate::SqliteDatabase;

fn full() -> Rig {
    let rig = Rig::migrated();
    let database = rig.open();
    database.set_storage(StorageType::SoftHsm).unwrap();
    save_sealing(&database, &known_sealing());
    save(&database, "one", None);
    database
        .mark_setup_completed(&event(EventKind::SetUp, moment(0)))
        .unwrap();
    database.record_start(&start("1.0.0", moment(0))).unwrap();
    rig
}

/// All that a reader asks.
fn look(database: &SqliteDatabase) -> Vec<Option<Failed>> {
    vec![
        fault(database.read()),
        fault(database.check_writable()),
        fault(database.check_integrity()),
        fault(database.list()),
        fault(database.find("AB:CD:one")),
        fault(database.rows(10)),
    ]
}

/// And all that is changed in the life of a node.
fn change(database: &SqliteDatabase) -> Vec<Option<Failed>> {
    let dek = Dek::from_bytes(&[1; 32]).unwrap();
    let mut token = known_token("0123abcd");
    token.pending_kek = Some(KekId::new(&[11; 16]).unwrap());
    let forgotten = event(EventKind::TokenForgotten, moment(1));
    vec![
        fault(database.migrate()),
        fault(database.snapshot(Purpose::BeforeUpgrade, moment(1))),
        fault(database.set_storage(StorageType::SoftHsm)),
        fault(database.save_copy(&token, Some(&[8; 16]), None)),
        fault(database.forget_copy(&token.serial, &forgotten)),
        fault(database.replace_dek(&token, &[9; 16])),
        fault(try_save(database, "one", None)),
        fault(database.seal_all(&dek)),
        fault(database.mark_setup_completed(&event(EventKind::SetUp, moment(1)))),
        fault(database.record_start(&start("1.0.0", moment(1)))),
    ]
}

fn fault<T, E: Into<Failed>>(result: Result<T, E>) -> Option<Failed> {
    result.err().map(Into::into)
}

#[track_caller]
fn is_never_our_defect(rig: &Rig, what: &str) {
    let bytes = std::fs::read(&rig.path).unwrap();
    let looked = look(&rig.open_read_only());
    assert_eq!(std::fs::read(&rig.path).unwrap(), bytes, "{what}");
    let database = rig.open();
    let mut said = looked;
    said.extend(look(&database));
    said.extend(change(&database));
    for fault in said.into_iter().flatten() {
        let causes = fault.causes();
        assert!(
            matches!(
                fault.kind(),
                FaultKind::DataCorrupt | FaultKind::VersionDowngrade
            ),
            "{what}: {:?} {fault} {causes:?}",
            fault.kind()
        );
    }
}

#[test]
fn c04_no_byte_of_the_header_makes_a_defect_of_the_program() {
    let rig = full();
    let whole = std::fs::read(&rig.path).unwrap();
    for place in 0..100 {
        let old = whole[place];
        for new in [0, 0xff, old ^ 1, old.wrapping_add(1)] {
            let mut bytes = whole.clone();
            bytes[place] = new;
            let rig = Rig::new();
            rig.put(&bytes);
            is_never_our_defect(&rig, &format!("byte {place} is {new}"));
        }
    }
}

#[test]
fn c04_a_header_that_forbids_writing_is_found_before_the_first_change() {
    let rig = full();
    let mut bytes = std::fs::read(&rig.path).unwrap();
    bytes[18] = 3;
    rig.put(&bytes);
    for database in [rig.open(), rig.open_read_only()] {
        let fault = database.read().unwrap_err();
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
        assert!(
            fault.to_string().contains("no program may write"),
            "{fault}"
        );
    }
}

#[test]
fn c04_no_value_of_a_column_makes_a_defect_of_the_program() {
    let template = full();
    let whole = std::fs::read(&template.path).unwrap();
    let columns = "SELECT 'UPDATE ' || t.name || ' SET ' || c.name FROM sqlite_schema t, \
                   pragma_table_info(t.name) c WHERE t.type = 'table'";
    let columns = template.lines(columns);
    assert!(columns.len() > 50);
    for column in columns {
        let update = column.split('"').nth(1).unwrap();
        for value in [
            "NULL",
            "'text'",
            "x'00ff'",
            "9223372036854775807",
            "-1",
            "1e300",
            "CAST(x'fffe41' AS TEXT)",
            "'a' || char(0) || 'b'",
            "zeroblob(5000)",
            "printf('%.100000c', 'x')",
        ] {
            let rig = Rig::new();
            rig.put(&whole);
            let sql = format!("PRAGMA ignore_check_constraints = ON; {update} = {value}");
            // A row's own number takes no text.
            let edited = rusqlite::Connection::open(&rig.path)
                .unwrap()
                .execute_batch(&sql);
            if edited.is_ok() {
                is_never_our_defect(&rig, &sql);
            }
        }
    }
}

#[test]
fn c04_no_table_or_column_that_is_gone_makes_a_defect_of_the_program() {
    let template = full();
    let whole = std::fs::read(&template.path).unwrap();
    let statements = template.lines(
        "SELECT 'DROP TABLE ' || name FROM sqlite_schema WHERE type = 'table' UNION ALL \
         SELECT 'ALTER TABLE ' || name || ' RENAME TO other' FROM sqlite_schema \
         WHERE type = 'table' UNION ALL \
         SELECT 'ALTER TABLE ' || t.name || ' DROP COLUMN ' || c.name FROM sqlite_schema t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND c.pk = 0 UNION ALL \
         SELECT 'ALTER TABLE ' || t.name || ' RENAME COLUMN ' || c.name || ' TO other' \
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    );
    assert!(statements.len() > 100);
    for statement in statements {
        let sql = statement.split('"').nth(1).unwrap();
        let rig = Rig::new();
        put(&rig.path, &whole);
        let connection = rusqlite::Connection::open(&rig.path).unwrap();
        // A column that an index needs cannot be dropped.
        if connection.execute_batch(sql).is_err() {
            continue;
        }
        drop(connection);
        let fault = rig.open().read().unwrap_err();
        assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{sql}: {fault}");
        is_never_our_defect(&rig, sql);
    }
}
