//! What waits for a lock of the server, and what is seen when the wait is over.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ports::contract::store::{
    event, known_sealing, moment, node, save_sealing, scrub_in_full, start,
};
use ports::{
    BackupOrigin, BackupSource, BackupTarget, EventKind, FaultKind, StartLock, StoreError,
};

use super::between::proxy;
use super::every_port::*;
use super::postgres::ServerRig;
use super::server::{Server, new_name};
use crate::postgres::{AdvisoryLock, Backend};

/// A session of somebody else, in the schema of the rig; it ends when it is dropped.
struct Session {
    psql: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    fn of(rig: &ServerRig) -> Self {
        let mut psql = Server::shared().program("psql", "postgres");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut psql = psql.spawn().unwrap();
        let mut session = Self {
            input: psql.stdin.take().unwrap(),
            output: BufReader::new(psql.stdout.take().unwrap()),
            psql,
        };
        session.does(&format!("SET search_path = {}", rig.schema));
        session
    }

    /// Begins with it.
    fn begins(&mut self, sql: &str) {
        writeln!(self.input, "{sql};\n\\echo done").unwrap();
    }

    /// Carries it out, and comes back when it is done.
    fn does(&mut self, sql: &str) {
        self.begins(sql);
        let mut said = String::new();
        while !said.ends_with("done\n") {
            assert_ne!(self.output.read_line(&mut said).unwrap(), 0, "{sql}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.psql.kill().unwrap();
        self.psql.wait().unwrap();
    }
}

/// Comes back once somebody waits for a table of the rig, or `is_over`.
fn wait_for_a_waiter(rig: &ServerRig, is_over: &dyn Fn() -> bool) {
    let waiting = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
         WHERE NOT l.granted AND c.relnamespace = '{}'::regnamespace",
        rig.schema
    );
    while !is_over() && rig.sql(&waiting) == "0" {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A database that has removed what has to be taken out of the server's files.
fn rig_with_a_scrub_due() -> ServerRig {
    let rig = rig_with_a_sealing();
    remove_the_copy(&rig);
    rig
}

fn rig_with_a_sealing() -> ServerRig {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    save_sealing(&rig.open(), &known_sealing());
    rig
}

fn remove_the_copy(rig: &ServerRig) {
    let forgotten = event(EventKind::TokenForgotten, moment(3));
    let serial = &known_sealing().copies[0].serial;
    assert!(rig.open().forget_copy(serial, &forgotten).unwrap());
    assert!(node(&rig.open()).is_scrub_due);
}

#[test]
fn a_scrub_that_waits_for_a_dump_gives_way_to_the_nodes() {
    let rig = rig_with_a_scrub_due();
    let mut dump = Session::of(&rig);
    dump.does("BEGIN; SELECT count(*) FROM credential");
    let error = rig.open().scrub().unwrap_err();
    assert_eq!(error.kind(), FaultKind::DatabaseUnavailable, "{error}");
    // Nobody is left who waits for the dump, and has all others wait.
    assert!(node(&rig.open()).is_scrub_due);
    rig.open().record_start(&start("1.0.0", moment(5))).unwrap();
    drop(dump);
    scrub_in_full(&rig.open());
}

#[test]
fn a_scrub_takes_what_was_removed_out_of_the_files() {
    let rig = rig_with_a_scrub_due();
    let pages = "SELECT pg_relation_size('pkcs11_token') > 0";
    assert_eq!(rig.sql(pages), "t");
    scrub_in_full(&rig.open());
    assert_eq!(rig.sql(pages), "f");
}

#[test]
fn a_scrub_is_due_as_long_as_a_transaction_sees_what_was_removed() {
    let rig = rig_with_a_sealing();
    let mut early = Session::of(&rig);
    // Its snapshot, and no lock on a table of ours.
    early.does("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    remove_the_copy(&rig);
    rig.open().scrub().unwrap();
    assert!(
        node(&rig.open()).is_scrub_due,
        "it stands in the file still"
    );
    drop(early);
    scrub_in_full(&rig.open());
    assert_eq!(rig.sql("SELECT pg_relation_size('pkcs11_token')"), "0");
}

#[test]
fn a_server_that_only_reads_by_default_is_scrubbed() {
    let rig = rig_with_a_scrub_due();
    let role = new_name("reads_by_default");
    rig.sql(&format!(
        "CREATE ROLE {role} SUPERUSER LOGIN; \
         ALTER ROLE {role} SET default_transaction_read_only = on"
    ));
    let url = Server::shared().url(&role, "postgres");
    scrub_in_full(&rig.open_at(&url));
}

/// A restore makes tables anew: whoever has looked at the old ones and then has to wait sees new ones
/// without rows, since those are younger than what it sees.
#[test]
fn tables_that_are_made_anew_under_a_reader_are_not_damaged() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    let mut restore = Session::of(&rig);
    restore.does(
        "BEGIN; ALTER TABLE refinery_schema_history RENAME TO old; \
         CREATE TABLE refinery_schema_history (LIKE old INCLUDING ALL); \
         INSERT INTO refinery_schema_history SELECT * FROM old; DROP TABLE old",
    );
    let database = rig.open();
    let read = thread::scope(|scope| {
        let reader = scope.spawn(|| database.read());
        wait_for_a_waiter(&rig, &|| reader.is_finished());
        restore.does("COMMIT");
        reader.join().unwrap()
    });
    assert_eq!(read.unwrap().unwrap().version.as_deref(), Some("1.0.0"));
}

#[test]
fn a_start_that_waits_for_a_restore_holds_nothing_that_the_restore_drops() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let mut restore = Session::of(&rig);
    restore.does("BEGIN; LOCK TABLE app_version IN EXCLUSIVE MODE");
    let database = rig.open();
    thread::scope(|scope| {
        let recorder = scope.spawn(|| database.record_start(&start("1.0.0", moment(0))));
        wait_for_a_waiter(&rig, &|| recorder.is_finished());
        restore.does("LOCK TABLE refinery_schema_history IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT");
        recorder.join().unwrap().unwrap();
    });
}

#[test]
fn a_start_that_is_given_up_for_another_session_is_recorded_all_the_same() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let mut other = Session::of(&rig);
    // It never finds out itself that two wait for each other.
    other.does("SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE startup_history IN EXCLUSIVE MODE");
    let database = rig.open();
    thread::scope(|scope| {
        let recorder = scope.spawn(|| database.record_start(&start("1.0.0", moment(0))));
        wait_for_a_waiter(&rig, &|| recorder.is_finished());
        other.begins("LOCK TABLE app_version IN ACCESS EXCLUSIVE MODE; COMMIT");
        recorder.join().unwrap().unwrap();
    });
    assert_eq!(node(&rig.open()).version.as_deref(), Some("1.0.0"));
}

#[test]
fn a_restore_that_waits_for_a_reader_has_taken_nothing_that_the_reader_needs() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let keep = tempfile::TempDir::new().unwrap();
    let file = keep.path().join("backup").to_str().unwrap().to_owned();
    let origin = BackupOrigin {
        application_version: "1.0.0".to_owned(),
        setup_completed: false,
        at: moment(7),
    };
    rig.open()
        .create(BackupTarget::New(&file), &origin)
        .unwrap();
    let mut reader = Session::of(&rig);
    reader.does("BEGIN; SELECT count(*) FROM refinery_schema_history");
    thread::scope(|scope| {
        let restore = scope.spawn(|| {
            let database = rig.open();
            let mut staged = database.stage(BackupSource::File(&file)).unwrap();
            staged.keep_replaced(moment(9)).unwrap();
            staged.put_in_place().unwrap();
        });
        wait_for_a_waiter(&rig, &|| restore.is_finished());
        reader.does("SELECT count(*) FROM active_tls_server_credential, app_version; COMMIT");
        restore.join().unwrap();
    });
}

#[test]
fn a_backend_of_the_same_number_is_not_the_one_that_held_the_lock() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let database = rig.open();
    let _held = AdvisoryLock::of(database.clone())
        .acquire(Duration::ZERO, &mut || ())
        .unwrap();
    database.check_writable().unwrap();
    database.set_storage(domain::StorageType::Software).unwrap();
    // As if the server had begun anew, and had given the number to the node that locks now.
    let held = &database.0.held;
    let now = held.backend().unwrap();
    held.by(Some(Backend {
        begun: now.begun - 1,
        ..now
    }));
    let error = database
        .set_storage(domain::StorageType::SoftHsm)
        .unwrap_err();
    assert!(matches!(error, StoreError::LockLost { .. }), "{error}");
}

/// The kernel's row of a connection of the server has "02" and when it asks the other side, in hundredths
/// of a second.
#[test]
fn the_server_soon_asks_whether_the_machine_that_holds_the_lock_is_there() {
    let rig = ServerRig::new();
    let port = Server::shared().port();
    let database = rig.open_at(&format!("postgresql://tests@127.0.0.1:{port}/postgres"));
    database.migrate().unwrap();
    let _held = AdvisoryLock::of(database)
        .acquire(Duration::ZERO, &mut || ())
        .unwrap();
    let own = format!(
        "SELECT client_port FROM pg_stat_activity JOIN pg_locks USING (pid) \
         WHERE locktype = 'advisory' AND classid::bigint = ('x' || encode(substr(sha256(\
         'trustpointctl/start/{}'), 1, 4), 'hex'))::bit(32)::bigint",
        rig.schema
    );
    let client: u16 = rig.sql(&own).parse().unwrap();
    let (server, client) = (format!(":{port:04X}"), format!(":{client:04X}"));
    let timer = || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut sockets = sockets
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let own = sockets.find(|row| row[1].ends_with(&server) && row[2].ends_with(&client));
        own.unwrap()[5].to_owned()
    };
    let hundredths = loop {
        // Until then it waits for the other side to have taken an answer.
        if let Some(hundredths) = timer().strip_prefix("02:") {
            break hundredths.to_owned();
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(u64::from_str_radix(&hundredths, 16).unwrap() <= 1500);
}

/// The standby that took over has given the number of the lost transaction to another one.
#[test]
fn a_commit_that_was_lost_with_its_server_is_not_taken_for_done() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    let standby = Server::shared().standby();
    standby.promote();
    let other = standby.port();
    let is_lost = AtomicBool::new(false);
    let port = proxy(move |bytes| {
        let is_commit = bytes.len() < 64 && bytes.windows(6).any(|part| part == b"COMMIT");
        if is_commit {
            standby.sql(
                "postgres",
                "DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
            );
            is_lost.store(true, Ordering::SeqCst);
        }
        is_lost.load(Ordering::SeqCst)
    });
    let url = format!("postgresql://tests@127.0.0.1:{port},127.0.0.1:{other}/postgres");
    let set_up = event(EventKind::SetUp, moment(5));
    let error = rig.open_at(&url).mark_setup_completed(&set_up).unwrap_err();
    assert!(matches!(error, StoreError::CommitUnknown { .. }), "{error}");
}

#[test]
fn what_one_node_has_broken_in_its_history_keeps_no_other_from_being_read() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    rig.sql(
        "INSERT INTO startup_history (node, last_at, version) VALUES ('without-time', NULL, '1'), \
         ('long', '2026-01-01T00:00:00Z', repeat('x', 5000)); INSERT INTO event (node) VALUES ('none')",
    );
    let nodes = node(&rig.open()).nodes;
    let names: Vec<&str> = nodes.iter().map(|seen| seen.node.as_str()).collect();
    assert_eq!(names, ["contract"]);
    assert_eq!(
        rig.open().check_integrity().unwrap_err().kind(),
        FaultKind::DataCorrupt
    );
}

#[test]
fn a_schema_may_have_a_word_of_sql_as_its_name() {
    let mut rig = ServerRig::new();
    rig.schema = "user".to_owned();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    assert_eq!(node(&rig.open()).version.as_deref(), Some("1.0.0"));
}
