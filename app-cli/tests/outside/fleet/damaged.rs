//! What stands in the schema and is not what this program has written there.

use super::{URL, assert_says, fresh, ready};
use crate::server::Server;

#[test]
fn what_was_altered_is_65_and_left_as_it_is() {
    for (sql, says) in [
        ("DROP TABLE event", "\"event\" is missing"),
        ("CREATE TABLE mine (id bigint)", "\"mine\" is not ours"),
        (
            "ALTER TABLE credential ADD COLUMN mine text",
            "\"credential\" is another",
        ),
        (
            "ALTER TABLE credential DROP COLUMN source",
            "\"credential\" is another",
        ),
        (
            "ALTER TABLE app_version ALTER COLUMN id TYPE text",
            "\"app_version\" is another",
        ),
        (
            "DROP TABLE refinery_schema_history",
            "lost its migration history",
        ),
        (
            "DELETE FROM refinery_schema_history",
            "lost its migration history",
        ),
        (
            "UPDATE installation SET installation_id = 'y'",
            "installation id",
        ),
        ("UPDATE app_version SET version = 'y'", "version"),
        ("DELETE FROM installation", "installation"),
        ("UPDATE credential SET certificate_pem = 'y'", "certificate"),
        ("UPDATE credential SET private_key = 'y'", "key"),
    ] {
        let node = ready();
        node.sql(sql);
        let said = node.fails_unchanged(&["startup"], 65, "data_corrupt");
        assert_says(&said, &[says, "restore"]);
    }
}

#[test]
fn tables_of_somebody_else_are_65_and_left_alone() {
    let mut node = fresh();
    node.set("TRUSTPOINT_DATABASE_SCHEMA", "theirs");
    let server = Server::shared();
    server.sql(
        "postgres",
        "CREATE SCHEMA theirs; CREATE TABLE theirs.orders (id int)",
    );
    let said = node.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert_says(&said, &["another application", "orders", "database.schema"]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs'";
    assert_eq!(server.sql("postgres", tables), "1");
}

#[test]
fn what_is_newer_is_12_and_left_as_it_is() {
    for sql in [
        "INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-11-24T00:00:00Z', '1'); \
         CREATE TABLE later (id bigint)",
        "UPDATE app_version SET version = '99.0.0'",
    ] {
        let node = ready();
        node.sql(sql);
        for command in [&["startup"][..], &["setup", "--reset"], &["tls", "renew"]] {
            node.fails_unchanged(command, 12, "version_downgrade");
        }
    }
}

/// The server answers, and has nothing: that is no reason to begin anew.
#[test]
fn c14_an_empty_database_beside_a_node_that_is_set_up_is_65() {
    let mut node = ready();
    let server = Server::shared();
    server.sql("postgres", "CREATE DATABASE emptied OWNER tests");
    node.set(URL, &server.url("tests", "emptied"));
    node.fails_unchanged(&["startup"], 65, "data_corrupt");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sandbox%'";
    assert_eq!(server.sql("emptied", schemas), "0");
}
