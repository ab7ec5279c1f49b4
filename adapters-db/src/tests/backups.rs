//! Backups and snapshots beside others, and of every kind of database.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use ports::contract::store::{moment, start};
use ports::{BackupOrigin, BackupSource, BackupTarget, FaultKind, Purpose};
use rusqlite::Connection;

use super::every_port::*;
use super::{OtherProcess, Rig, put};
use crate::SqliteDatabase;

/// How often it is tried beside a writer. A stress test takes more: `STRESS=2000`.
fn rounds() -> usize {
    std::env::var("STRESS").map_or(40, |text| text.parse().unwrap())
}

fn backups(rig: &Rig) -> SqliteDatabase {
    let (path, snapshots) = (rig.path.clone(), rig.snapshots.clone());
    SqliteDatabase::read_only(path, snapshots, false)
}

fn origin() -> BackupOrigin {
    BackupOrigin {
        application_version: "1.2.3".to_owned(),
        setup_completed: false,
        at: moment(7),
    }
}

/// A database in which both rows of `pair` always say the same.
fn with_pair() -> Rig {
    let rig = Rig::migrated();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    // So many rows between them that they are on different pages.
    rig.edit(
        "UPDATE startup_history SET container_id = 0; \
         INSERT INTO startup_history (version, container_id) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
         SELECT printf('%0200d', i), 0 FROM n",
    );
    rig
}

/// An application that writes all the time, with large transactions and small ones, in a process
/// of its own: locks are a process's.
fn write_until(stop: &AtomicBool, path: &Utf8Path) -> u64 {
    let mut application = Command::new("sqlite3")
        .args(["-cmd", ".timeout 60000", "-bail"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = application.stdin.take().unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        writeln!(
            input,
            "PRAGMA synchronous = OFF; PRAGMA cache_size = {}; BEGIN; \
             UPDATE startup_history SET container_id = {round} \
             WHERE id IN (SELECT min(id) FROM startup_history \
                          UNION SELECT max(id) FROM startup_history); {} COMMIT;",
            if round % 2 == 0 { 5 } else { 2000 },
            if round % 7 == 0 {
                "UPDATE startup_history SET version = hex(randomblob(99 + abs(random() % 9)));"
            } else {
                ""
            },
        )
        .unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    drop(input);
    assert!(application.wait().unwrap().success());
    round
}

/// Both rows say the same, so it is one state.
fn assert_one_state(path: &Utf8Path) {
    let connection = Connection::open(path).unwrap();
    let different: i64 = connection
        .query_row(
            "SELECT count(DISTINCT container_id) FROM startup_history \
             WHERE id IN (SELECT min(id) FROM startup_history \
                          UNION SELECT max(id) FROM startup_history)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(different, 1);
}

/// Ends the application when the test ends, however that does.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn c15_beside_an_application_that_writes_each_millisecond_every_copy_is_one_state() {
    let rig = with_pair();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stop, &rig.path));
        let end = Stop(&stop);
        let file = rig.root.join("node.backup");
        for number in 0..rounds() {
            let target = BackupTarget::Replace(file.as_str());
            let made = backups(&rig).create(target, &origin());
            if let Err(error) = &made {
                panic!("backup {number}: {error:?}");
            }
            assert_one_state(&file);
            let made = rig
                .open_patient()
                .snapshot(Purpose::BeforeUpgrade, moment(0));
            if let Err(error) = &made {
                panic!("snapshot {number}: {error:?}");
            }
            // None where nothing was written since the last.
            let made = made.unwrap();
            if made.is_new {
                assert_one_state(Utf8Path::new(&made.snapshot.path));
            }
        }
        drop(end);
        assert!(writer.join().unwrap() > 0);
    });
}

#[test]
fn the_lock_of_another_connection_of_this_process_outlives_a_copy() {
    let rig = with_pair();
    let file = rig.root.join("node.backup");
    let target = BackupTarget::New(file.as_str());
    backups(&rig).create(target, &origin()).unwrap();
    rig.open().record_start(&start("2.0.0", moment(1))).unwrap();
    let backups = backups(&rig);
    let mut staged = backups.stage(BackupSource::File(file.as_str())).unwrap();
    staged.keep_replaced(moment(2)).unwrap().unwrap();
    // What somebody else wrote now would be lost.
    let written = Command::new("sqlite3")
        .arg(&rig.path)
        .arg("DELETE FROM startup_history")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&written.stderr);
    assert!(said.contains("locked"), "{said}");
    staged.put_in_place().unwrap();
}

#[test]
fn a_write_ahead_log_is_in_the_backup_and_none_is_beside_it() {
    let rig = with_pair();
    rig.edit("PRAGMA journal_mode = WAL");
    let _holding = OtherProcess::holding(
        &rig.path,
        "UPDATE startup_history SET container_id = 'in the log';",
    );
    let before = std::fs::read(&rig.path).unwrap();
    let file = rig.root.join("node.backup");
    let target = BackupTarget::New(file.as_str());
    backups(&rig).create(target, &origin()).unwrap();
    assert_eq!(std::fs::read(&rig.path).unwrap(), before);
    assert_eq!(std::fs::read(&file).unwrap()[18..20], [1, 1]);
    let said: String = Connection::open(&file)
        .unwrap()
        .query_row("SELECT max(container_id) FROM startup_history", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(said, "in the log");
    backups(&rig)
        .verify(BackupSource::File(file.as_str()))
        .unwrap();
}

#[test]
fn a_snapshot_that_was_copied_while_its_log_was_empty_is_restored() {
    let rig = with_pair();
    rig.edit("PRAGMA journal_mode = WAL");
    let file = rig.root.join("copied.db");
    put(&file, &std::fs::read(&rig.path).unwrap());
    rig.edit("PRAGMA journal_mode = DELETE; DELETE FROM startup_history");
    let backups = backups(&rig);
    let mut staged = backups.stage(BackupSource::File(file.as_str())).unwrap();
    staged.keep_replaced(moment(2)).unwrap().unwrap();
    staged.put_in_place().unwrap();
    let rows: i64 = Connection::open(&rig.path)
        .unwrap()
        .query_row("SELECT count(*) FROM startup_history", [], |row| row.get(0))
        .unwrap();
    assert!(rows > 3000);
    assert_eq!(std::fs::read(&rig.path).unwrap()[18..20], [1, 1]);
    let names = rig
        .listing()
        .into_keys()
        .filter(|path| path.as_str().contains("trustpoint-"));
    assert_eq!(names.count(), 0, "no file beside it");
}

#[test]
fn the_nodes_own_files_are_never_replaced() {
    let rig = Rig::migrated();
    put(&rig.root.join("pin-rejected"), b"note");
    std::os::unix::fs::symlink(&rig.path, rig.root.join("link")).unwrap();
    let before = rig.listing();
    for name in [
        "trustpoint.db",
        "trustpoint.db.lock",
        "trustpoint.db-journal",
        "trustpoint.db-wal",
        "trustpoint.db-shm",
        "trustpoint.db.new",
        "pin-rejected",
        ".trustpoint-0123456789abcdef.tmp",
        ".pin-rejected.x",
        "link",
        "./trustpoint.db",
        "other.backup-journal",
    ] {
        let file = rig.root.join(name);
        for target in [
            BackupTarget::New(file.as_str()),
            BackupTarget::Replace(file.as_str()),
        ] {
            let made = backups(&rig).create(target, &origin());
            assert_eq!(made.unwrap_err().kind(), FaultKind::Usage, "{name}");
        }
    }
    assert_eq!(rig.listing(), before);
    let file = rig.root.join("trustpoint.db.2026-11-24");
    let target = BackupTarget::New(file.as_str());
    backups(&rig).create(target, &origin()).unwrap();
}

#[test]
fn of_two_backups_to_one_path_one_is_made() {
    let rig = with_pair();
    let file = rig.root.join("node.backup");
    for _ in 0..5 {
        let results = thread::scope(|scope| {
            let make = || {
                let target = BackupTarget::New(file.as_str());
                backups(&rig).create(target, &origin())
            };
            let threads = [scope.spawn(make), scope.spawn(make), scope.spawn(make)];
            threads.map(|thread| thread.join().unwrap().map_err(|fault| fault.kind()))
        });
        let made: Vec<_> = results.iter().flatten().collect();
        assert_eq!(made.len(), 1, "{results:?}");
        assert_eq!(
            results
                .iter()
                .filter(|result| **result == Err(FaultKind::Io))
                .count(),
            2
        );
        let read = backups(&rig)
            .verify(BackupSource::File(file.as_str()))
            .unwrap();
        assert_eq!(read.manifest.as_ref(), Some(made[0]));
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_damaged_database_is_found_while_it_is_copied() {
    let rig = with_pair();
    let mut bytes = std::fs::read(&rig.path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    rig.put(&bytes);
    let file = rig.root.join("node.backup");
    let target = BackupTarget::New(file.as_str());
    let fault = backups(&rig).create(target, &origin()).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::DataCorrupt);
    assert!(!file.exists());
}
