//! A server that refuses, is silent, is cut, or holds what is not ours.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use domain::{SchemaState, StorageType};
use ports::contract::failed::{Failed, failed};
use ports::contract::store::{event, moment, node, start};
use ports::{
    BackupOrigin, BackupSource, BackupTarget, EventKind, FaultKind, LockError, Migrated, StartLock,
    StoreError,
};

use super::between::{pool_between_transactions, proxy};
use super::every_port::*;
use super::postgres::{ServerRig, WAIT};
use super::server::{Server, new_name};
use super::{Rig, node as node_of_file};
use crate::postgres::AdvisoryLock;

fn through(port: u16, user: &str, database: &str) -> String {
    format!("postgresql://{user}@127.0.0.1:{port}/{database}")
}

fn read_through(url: &str) -> Failed {
    failed(ServerRig::new().open_at(url).read())
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|part| part == word.as_bytes())
}

#[test]
fn what_stays_is_said_at_once() {
    let server = Server::shared();
    server.sql(
        "postgres",
        "CREATE ROLE with_password LOGIN PASSWORD 'right'",
    );
    let encrypted = through(server.port(), "tests", "postgres");
    let roots = server.directory().join("server.crt");
    let roots = roots.display();
    for (url, kind, why) in [
        (
            through(server.port(), "with_password", "postgres"),
            FaultKind::Denied,
            "password missing",
        ),
        (
            server.url("nobody_known", "postgres"),
            FaultKind::Denied,
            "does not exist",
        ),
        (
            server.url("tests", "nothing"),
            FaultKind::DatabaseUnavailable,
            "does not exist",
        ),
        // Its certificate is its own, and of another name.
        (
            format!("{encrypted}?sslmode=verify-full"),
            FaultKind::DatabaseUnavailable,
            "UnknownIssuer",
        ),
        (
            format!("{encrypted}?sslmode=verify-full&sslrootcert={roots}"),
            FaultKind::DatabaseUnavailable,
            "db.example.org",
        ),
    ] {
        let since = Instant::now();
        let error = read_through(&url);
        assert!(since.elapsed() < WAIT, "{error}");
        assert_eq!(error.kind(), kind, "{error}: {:?}", error.causes());
        assert!(
            error.causes().join(" ").contains(why),
            "{:?}",
            error.causes()
        );
    }
}

#[test]
fn tls_is_spoken_as_the_url_says_and_the_login_is_bound_to_it() {
    let server = Server::shared();
    server.sql(
        "postgres",
        "CREATE ROLE bound_password LOGIN PASSWORD 'right'",
    );
    let roots = server.directory().join("server.crt");
    let url = through(server.port(), "bound_password", "postgres");
    for parameters in ["sslmode=require", "sslmode=verify-ca"] {
        let url = format!("{url}?{parameters}&sslrootcert={}", roots.display());
        let rig = ServerRig::new();
        // With a digest of another certificate the server would refuse the password.
        assert!(rig.open_with(&url, Some("right")).read().unwrap().is_none());
        let error = failed(rig.open_with(&url, Some("wrong")).read());
        assert_eq!(error.kind(), FaultKind::Denied, "{error}");
    }
}

#[test]
fn a_client_certificate_is_shown_where_the_url_names_one() {
    let server = Server::shared();
    server.sql("postgres", "CREATE ROLE with_certificate LOGIN");
    let url = through(server.port(), "with_certificate", "postgres");
    let without = format!("{url}?sslmode=require");
    let error = failed(ServerRig::new().open_with(&without, None).read());
    assert_eq!(error.kind(), FaultKind::Denied, "{error}");
    let file = |name: &str| server.directory().join(name).display().to_string();
    let (certificate, key) = (file("client.crt"), file("client.key"));
    let with = format!("{without}&sslcert={certificate}&sslkey={key}");
    assert!(
        ServerRig::new()
            .open_with(&with, None)
            .read()
            .unwrap()
            .is_none()
    );
}

#[test]
fn c04_a_server_that_is_silent_or_away_is_waited_for_and_no_longer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let since = Instant::now();
    let error = read_through(&through(port, "tests", "postgres"));
    assert_eq!(error.kind(), FaultKind::DatabaseUnavailable, "{error}");
    drop(silent);
    let error = read_through(&through(1, "tests", "postgres"));
    assert_eq!(error.kind(), FaultKind::DatabaseUnavailable, "{error}");
    let took = since.elapsed();
    assert!((2 * WAIT..4 * WAIT).contains(&took), "{took:?}");
}

#[test]
fn a_host_that_is_silent_leaves_the_others_their_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().port();
    let slow = proxy(|_| {
        thread::sleep(Duration::from_millis(600));
        false
    });
    let hosts = format!("127.0.0.1:{silent},127.0.0.1:{slow}");
    // So long that the silent one is never given all that is left.
    let wait = Duration::from_secs(20);
    let url = format!("postgresql://tests@{hosts}/postgres");
    let database = ServerRig::new().open_for(&url, None, wait);
    assert!(database.read().unwrap().is_none());
}

#[test]
fn a_right_that_is_missing_is_denied_and_changes_nothing() {
    let server = Server::shared();
    let (user, rig) = (new_name("weak"), ServerRig::new());
    server.sql("postgres", &format!("CREATE ROLE {user} LOGIN"));
    let weak = rig.open_at(&server.url(&user, "postgres"));
    assert!(weak.read().unwrap().is_none());
    assert_eq!(failed(weak.check_writable()).kind(), FaultKind::Denied);
    assert_eq!(failed(weak.migrate()).kind(), FaultKind::Denied);
    rig.open().migrate().unwrap();
    let weak = rig.open_at(&server.url(&user, "postgres"));
    assert_eq!(
        failed(weak.read()).kind(),
        FaultKind::Denied,
        "there, and not to be read"
    );
}

#[test]
fn c06_a_newer_schema_is_a_downgrade_and_one_that_differs_is_not_ours() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("3.0.0", moment(0))).unwrap();
    rig.sql(
        "INSERT INTO refinery_schema_history VALUES (99, 'later', '2026-11-24T00:00:00Z', '1'); \
         CREATE TABLE later (id bigint)",
    );
    let record = node(&rig.open());
    assert_eq!(record.schema, SchemaState::Newer);
    assert_eq!(record.version.as_deref(), Some("3.0.0"));
    let error = failed(rig.open().set_storage(StorageType::Software));
    assert_eq!(error.kind(), FaultKind::VersionDowngrade, "{error}");
    assert_eq!(
        failed(rig.open().migrate()).kind(),
        FaultKind::VersionDowngrade
    );
}

#[test]
fn c04_tables_that_are_not_ours_or_altered_are_corrupt_and_left_alone() {
    for (sql, said) in [
        (
            "ALTER TABLE credential ADD COLUMN mine text",
            "\"credential\" is another",
        ),
        ("CREATE TABLE mine (id bigint)", "\"mine\" is not ours"),
        ("DROP TABLE event", "\"event\" is missing"),
        (
            "DROP TABLE refinery_schema_history",
            "lost its migration history",
        ),
        (
            "DELETE FROM refinery_schema_history",
            "lost its migration history",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER t BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION f()",
            "\"event\" is another",
        ),
        (
            "UPDATE installation SET installation_id = 'x'",
            "installation id",
        ),
    ] {
        let rig = ServerRig::new();
        rig.open().migrate().unwrap();
        rig.sql(sql);
        let error = failed(rig.open().read());
        assert_eq!(error.kind(), FaultKind::DataCorrupt, "{sql}: {error}");
        assert!(error.to_string().contains(said), "{error}");
        if !said.contains("installation id") {
            assert_eq!(
                failed(rig.open().migrate()).kind(),
                FaultKind::DataCorrupt,
                "{sql}"
            );
        }
    }
    let rig = ServerRig::new();
    let server = Server::shared();
    server.sql(
        "postgres",
        &format!(
            "CREATE SCHEMA {0}; CREATE TABLE {0}.theirs (id int)",
            rig.schema
        ),
    );
    let error = rig.open().read().unwrap_err();
    assert!(matches!(error, StoreError::ForeignTables { .. }), "{error}");
    assert_eq!(failed(rig.open().migrate()).kind(), FaultKind::DataCorrupt);
}

#[test]
fn a_connection_that_is_cut_in_the_middle_is_made_anew() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let left = AtomicUsize::new(2);
    let port = proxy(move |bytes| {
        has(bytes, "LOCK TABLE")
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
    });
    let database = rig.open_at(&through(port, "tests", "postgres"));
    assert!(database.set_storage(StorageType::Software).unwrap());
    assert_eq!(node(&database).storage, Some(StorageType::Software));
}

#[test]
fn a_commit_whose_answer_was_lost_is_looked_up() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let left = AtomicUsize::new(1);
    let port = proxy(move |bytes| {
        // The reading transaction ends in one round trip with other statements.
        let is_last = has(bytes, "COMMIT") && bytes.len() < 64;
        is_last
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
    });
    let database = rig.open_at(&through(port, "tests", "postgres"));
    let set_up = event(EventKind::SetUp, moment(5));
    // Done twice, the second would find the mark and say so.
    assert!(database.mark_setup_completed(&set_up).unwrap());
    let rows = rig.open().rows(10).unwrap();
    assert_eq!(rows.len(), 1, "noted once");
}

#[test]
fn of_two_that_make_the_tables_one_finds_them_made() {
    let rig = ServerRig::new();
    let made: Vec<Migrated> = thread::scope(|scope| {
        let makers: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| rig.open().migrate().unwrap()))
            .collect();
        makers
            .into_iter()
            .map(|maker| maker.join().unwrap())
            .collect()
    });
    let applied = made
        .iter()
        .filter(|made| **made != Migrated::Unchanged)
        .count();
    assert_eq!(applied, 1, "{made:?}");
    assert_eq!(rig.sql("SELECT count(*) FROM installation"), "1");
}

#[test]
fn the_lock_keeps_others_away_and_names_its_holder() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let database = rig.open();
    let lock = |wait| AdvisoryLock::of(rig.open()).acquire(Duration::from_millis(wait), &mut || ());
    let held = AdvisoryLock::of(database.clone())
        .acquire(Duration::ZERO, &mut || ())
        .unwrap();
    let error = lock(300).err().unwrap();
    assert_eq!(error.kind(), FaultKind::Busy);
    let process = format!("trustpointctl {} on contract", std::process::id());
    for said in ["backend ", process.as_str(), "since 20"] {
        assert!(error.to_string().contains(said), "{error}");
    }
    // A ready start is in nobody's way.
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    database.set_storage(StorageType::Software).unwrap();
    drop(held);
    lock(0).unwrap();
}

#[test]
fn without_its_lock_nothing_more_is_written() {
    let rig = ServerRig::new();
    let database = rig.open();
    let held = AdvisoryLock::of(database.clone())
        .acquire(Duration::ZERO, &mut || ())
        .unwrap();
    database.migrate().unwrap();
    // With the time that the backend may take to end.
    let own = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' \
         AND classid::bigint = ('x' || encode(substr(sha256('trustpointctl/start/{}'), 1, 4), \
         'hex'))::bit(32)::bigint",
        rig.schema
    );
    assert_eq!(rig.sql(&own), "t");
    let error = database.set_storage(StorageType::Software).unwrap_err();
    assert!(matches!(error, StoreError::LockLost { .. }), "{error}");
    assert_eq!(node(&rig.open()).storage, None);
    // The tables were made before.
    let said = "what was written before stays, and nothing was written after that";
    assert!(error.to_string().contains(said), "{error}");
    drop(held);
}

#[test]
fn an_older_program_does_not_put_the_version_back() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("2.0.0", moment(0))).unwrap();
    let error = rig
        .open()
        .record_start(&start("1.9.0", moment(1)))
        .unwrap_err();
    assert!(matches!(error, StoreError::TakenOver { .. }), "{error}");
    assert_eq!(node(&rig.open()).version.as_deref(), Some("2.0.0"));
}

#[test]
fn nodes_have_rows_of_their_own() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    for (second, name) in [(0, "a"), (1, "b"), (2, "a"), (3, "b")] {
        let mut start = start("1.0.0", moment(second));
        start.node = name.to_owned();
        rig.open().record_start(&start).unwrap();
    }
    let rows = rig.open().rows(10).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.node.as_deref()).collect();
    assert_eq!(
        names,
        [Some("b"), Some("a")],
        "equal starts of one node share a row"
    );
    let nodes = node(&rig.open()).nodes;
    let seen: Vec<_> = nodes
        .iter()
        .map(|each| (each.node.as_str(), each.at))
        .collect();
    assert_eq!(seen, [("a", moment(2)), ("b", moment(3))]);
}

#[test]
fn a_database_moves_to_a_server_and_back() {
    let origin = BackupOrigin {
        application_version: "1.0.0".to_owned(),
        setup_completed: true,
        at: moment(7),
    };
    let (file, rig, back) = (Rig::migrated(), ServerRig::new(), Rig::new());
    let sealing = ports::contract::store::known_sealing();
    ports::contract::store::save_sealing(&file.open(), &sealing);
    file.open()
        .note(&event(EventKind::Recovered, moment(1)))
        .unwrap();
    file.open()
        .record_start(&start("1.0.0", moment(2)))
        .unwrap();
    let restored = |database: &dyn Backups, backup: &str| {
        let mut staged = database.stage(BackupSource::File(backup)).unwrap();
        assert!(!staged.is_in_place().unwrap());
        staged.keep_replaced(moment(9)).unwrap();
        staged.put_in_place().unwrap();
        assert!(
            database
                .stage(BackupSource::File(backup))
                .unwrap()
                .is_in_place()
                .unwrap()
        );
    };
    let first = file.root.join("first").into_string();
    file.open()
        .create(BackupTarget::New(&first), &origin)
        .unwrap();
    restored(&rig.open(), &first);
    let second = file.root.join("second").into_string();
    rig.open()
        .create(BackupTarget::New(&second), &origin)
        .unwrap();
    restored(&back.open(), &second);

    let seen = node(&rig.open());
    assert_eq!(seen.sealing, sealing);
    assert_eq!(seen.setup_completed_at, Some(moment(7)));
    let same = |record: ports::NodeRecord| {
        format!(
            "{:?}",
            ports::NodeRecord {
                nodes: Vec::new(),
                ..record
            }
        )
    };
    assert_eq!(same(seen), same(node_of_file(&back.open())));
    assert_eq!(rig.open().rows(10).unwrap(), back.open().rows(10).unwrap());
    // The server goes on with the numbers of the rows.
    let before = back.open().rows(10).unwrap().len();
    rig.open().record_start(&start("1.0.1", moment(8))).unwrap();
    assert_eq!(rig.open().rows(10).unwrap().len(), before + 1);
}

#[test]
fn the_migrations_make_the_same_of_both_databases() {
    // `identify` compares tables, columns and types with those that SQLite's migrations make.
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    assert_eq!(node(&rig.open()).schema, SchemaState::Current);
    rig.open().check_integrity().unwrap();
}

#[test]
fn through_a_pool_that_shares_backends_there_is_no_lock() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let pool = pool_between_transactions();
    let database = rig.open_at(&through(pool, "tests", "postgres"));
    let error = AdvisoryLock::of(database)
        .acquire(Duration::ZERO, &mut || ())
        .err()
        .unwrap();
    assert!(
        matches!(error, LockError::Store(StoreError::NoSession { .. })),
        "{error}"
    );
    assert_eq!(error.kind(), FaultKind::Config);
}
