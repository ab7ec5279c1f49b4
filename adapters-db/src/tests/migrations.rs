//! All that is pending or nothing (C5, C6).

use domain::SchemaState;
use ports::contract::failed::Failed;
use ports::contract::store::{event, known_sealing, moment};
use ports::{EventKind, FaultKind, Migrated, NodeStore as _};
use refinery::{Migration, Runner};

use super::{Rig, mode_of, node, put, read_fault};
use crate::schema;

fn with(extra: &[(&str, &str)]) -> Runner {
    let mut migrations = schema::runner().unwrap().get_migrations().clone();
    for (name, sql) in extra {
        migrations.push(Migration::unapplied(name, sql).unwrap());
    }
    Runner::new(&migrations).set_grouped(true)
}

fn later_migration(rig: &Rig) {
    rig.edit(
        "CREATE TABLE later (id INTEGER); INSERT INTO refinery_schema_history VALUES \
         (99, 'later', '2030-01-01T00:00:00Z', '12345')",
    );
}

#[test]
fn a_new_database_is_for_its_owner_alone() {
    let rig = Rig::migrated();
    assert_eq!(mode_of(&rig.path), 0o600);
    assert_eq!(rig.listing().len(), 1, "nothing beside it");
}

#[test]
fn two_installations_have_two_ids() {
    let ids = [Rig::migrated(), Rig::migrated()].map(|rig| node(&rig.open()).installation);
    assert!(ids[0].is_some());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn nothing_pending_writes_nothing() {
    let rig = Rig::migrated();
    let before = rig.listing();
    assert_eq!(rig.open().migrate().unwrap(), Migrated::Unchanged);
    assert_eq!(rig.listing(), before);
}

#[test]
fn what_was_applied_is_named() {
    let rig = Rig::migrated();
    let runner = with(&[("V90__x", "CREATE TABLE x (id INTEGER)")]);
    let migrated = rig.open().0.migrate_with(&runner).unwrap();
    assert_eq!(migrated, Migrated::Applied(vec!["V90__x".to_owned()]));
}

#[test]
fn c15_a_migration_that_fails_leaves_the_database_as_it_was() {
    let rig = Rig::migrated();
    let before = std::fs::read(&rig.path).unwrap();
    let runner = with(&[
        (
            "V90__fine",
            "CREATE TABLE fine (id INTEGER); UPDATE installation SET created_at = 'x'",
        ),
        ("V91__broken", "CREATE TABLE installation (id INTEGER)"),
    ]);
    let database = rig.open();
    let fault = Failed::from(database.0.migrate_with(&runner).unwrap_err());
    assert!(fault.to_string().contains("as it was before"), "{fault}");
    assert!(!fault.causes().is_empty());
    assert_eq!(std::fs::read(&rig.path).unwrap(), before);
    // The connection is fit for use, and a start of the old version works.
    assert_eq!(database.migrate().unwrap(), Migrated::Unchanged);
}

#[test]
fn c05_a_first_migration_that_fails_is_the_same_start_again() {
    let rig = Rig::new();
    let runner = with(&[("V91__broken", "CREATE TABLE installation (id INTEGER)")]);
    assert!(rig.open().0.migrate_with(&runner).is_err());
    assert_eq!(rig.listing().len(), 0, "nothing is left of it");
    assert!(matches!(rig.open_read_only().read(), Ok(None)));
    rig.open().migrate().unwrap();
    assert_eq!(node(&rig.open()).schema, SchemaState::Current);
}

#[test]
fn c05_what_a_killed_first_migration_left_is_never_used() {
    let rig = Rig::migrated();
    let left = ["trustpoint.db.new", "trustpoint.db.new-journal"].map(|name| rig.root.join(name));
    std::fs::rename(&rig.path, &left[0]).unwrap();
    put(&left[1], b"banana");
    assert!(matches!(rig.open().read(), Ok(None)));
    rig.open().migrate().unwrap();
    assert_eq!(rig.listing().len(), 1, "nothing beside it");
}

#[test]
fn c06_a_newer_schema_is_seen_and_refused() {
    let rig = Rig::migrated();
    rig.edit("INSERT INTO app_version (id, version) VALUES (1, '0.0.1')");
    later_migration(&rig);
    // Tables that a later version has taken away are no reason to fail.
    rig.edit("DROP TABLE pkcs11_key; DROP TABLE key_storage_config");
    let before = rig.listing();
    let database = rig.open();
    let record = node(&database);
    assert_eq!(record.schema, SchemaState::Newer);
    assert_eq!(record.version.as_deref(), Some("0.0.1"));
    let fault = database.migrate().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::VersionDowngrade);
    let fault = database
        .clear_setup_mark(&event(EventKind::SetupReset, moment(1)))
        .unwrap_err();
    assert_eq!(fault.kind(), FaultKind::VersionDowngrade);
    assert_eq!(rig.listing(), before);
}

#[test]
fn c06_a_diverged_schema_is_seen_and_refused() {
    for change in [
        "checksum = '1'",
        "checksum = 'banana'",
        "name = 'other'",
        "applied_on = 'yesterday'",
        "applied_on = NULL",
    ] {
        let rig = Rig::migrated();
        rig.edit(&format!(
            "UPDATE refinery_schema_history SET {change} WHERE version = 2"
        ));
        let database = rig.open();
        assert_eq!(node(&database).schema, SchemaState::Diverged, "{change}");
        let fault = database.migrate().unwrap_err();
        assert_eq!(fault.kind(), FaultKind::VersionDowngrade);
    }
}

#[test]
fn a_version_in_the_history_that_is_no_number_does_not_panic() {
    let rig = Rig::migrated();
    rig.edit("INSERT INTO refinery_schema_history (version, name) VALUES ('x', 'y')");
    // Which of the refusals it is does not matter.
    match rig.open().read() {
        Ok(_) => assert_ne!(node(&rig.open()).schema, SchemaState::Current),
        Err(fault) => assert_eq!(fault.kind(), FaultKind::DataCorrupt),
    }
}

/// A database that only the first migrations were applied to.
fn behind(count: usize) -> Rig {
    let rig = Rig::new();
    let mut first = schema::runner().unwrap().get_migrations().clone();
    first.truncate(count);
    rig.open()
        .0
        .migrate_with(&Runner::new(&first).set_grouped(true))
        .unwrap();
    rig
}

#[test]
fn a_read_only_value_says_behind() {
    let rig = behind(4);
    assert_eq!(node(&rig.open_read_only()).schema, SchemaState::Behind);
}

#[test]
fn every_schema_of_the_past_is_ours_and_is_brought_up_to_date() {
    for count in 1..=schema::runner().unwrap().get_migrations().len() {
        let rig = behind(count);
        rig.open().migrate().unwrap();
        assert_eq!(node(&rig.open()).schema, SchemaState::Current, "{count}");
    }
}

/// What the programs of these schemas have written: of a token as much as each of them knew.
#[test]
fn every_key_of_the_past_is_there_before_and_after_its_migration() {
    let token = "INSERT INTO pkcs11_token (id, label, serial, module_path, encrypted_dek, \
                 bek_encrypted_dek, dek_check_value) \
                 VALUES (1, 'Contract-Token', '0123abcd', '/usr/lib/module.so', X'010203', \
                 X'040506', X'08080808080808080808080808080808'); \
                 INSERT INTO pkcs11_key (token_id, label, key_id) \
                 VALUES (1, 'trustpoint-kek', X'07070707070707070707070707070707');";
    let rotation = "UPDATE pkcs11_token SET bek_set_at = '2026-09-21T14:13:20Z'; \
                    UPDATE pkcs11_key SET state = 'current'; \
                    INSERT INTO pkcs11_key (token_id, label, key_id, state) VALUES \
                    (1, 'trustpoint-kek', X'06060606060606060606060606060606', 'retired'), \
                    (1, 'trustpoint-kek', X'05050505050505050505050505050505', 'retired'), \
                    (1, 'trustpoint-kek', X'09090909090909090909090909090909', 'pending');";
    for count in 4..7 {
        let rig = behind(count);
        rig.edit(token);
        let mut expected = known_sealing();
        let copy = &mut expected.copies[0];
        // When a token has wrapped it was not known before there was more than one.
        copy.wrapped.as_mut().unwrap().at = None;
        if count < 5 {
            copy.pending_kek = None;
            copy.retired_keks.clear();
            expected.backup.as_mut().unwrap().set_at = None;
        } else {
            rig.edit(rotation);
        }
        assert_eq!(node(&rig.open_read_only()).sealing, expected, "{count}");
        rig.open().migrate().unwrap();
        assert_eq!(node(&rig.open()).sealing, expected, "{count}");
    }
}

#[test]
fn c04_a_history_that_lost_its_newest_row_is_corrupt() {
    let rig = Rig::migrated();
    rig.edit(
        "DELETE FROM refinery_schema_history WHERE version = \
         (SELECT max(version) FROM refinery_schema_history)",
    );
    for fault in [
        read_fault(&rig.open()),
        rig.open().migrate().unwrap_err().into(),
    ] {
        assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{fault}");
    }
}

#[test]
fn c04_an_unreadable_installation_id_is_corrupt() {
    let rig = Rig::migrated();
    rig.edit("UPDATE installation SET installation_id = 'banana'");
    assert_eq!(read_fault(&rig.open()).kind(), FaultKind::DataCorrupt);
}
