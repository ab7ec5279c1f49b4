//! The adapter on real files.

mod backups;
mod between;

mod classification;
mod copies;
mod credentials;
mod drafts;
mod hostile;
mod migrations;
mod postgres;
mod postgres_faults;
mod postgres_waits;

mod reading;
mod records;
#[expect(dead_code, reason = "the tests from outside use the rest")]
mod server;

mod snapshots;
mod sweeps;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::contract::backups::{BackupsRig, suite as backups_suite};
use ports::contract::failed::Failed;
use ports::contract::store::{Store, StoreRig, suite};
use ports::{Backups, NodeRecord, NodeStore as _};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::SqliteDatabase;

/// The traits that [`SqliteDatabase`] implements.
mod every_port {
    pub(super) use ports::{Backups, CredentialStore, History, NodeStore};
}

/// A directory for one database.
pub(crate) struct Rig {
    _keep: TempDir,
    pub(crate) root: Utf8PathBuf,
    pub(crate) path: Utf8PathBuf,
    pub(crate) snapshots: Utf8PathBuf,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let keep = TempDir::new().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().join("data")).unwrap();
        std::fs::create_dir(&root).unwrap();
        Self {
            _keep: keep,
            path: root.join("trustpoint.db"),
            snapshots: root.join("snapshots"),
            root,
        }
    }

    /// One that was migrated.
    pub(crate) fn migrated() -> Self {
        let rig = Self::new();
        rig.open().migrate().unwrap();
        rig
    }

    pub(crate) fn open(&self) -> SqliteDatabase {
        SqliteDatabase::new(self.path.clone(), self.snapshots.clone(), false).impatient()
    }

    /// One that waits for others as long as a start does.
    pub(crate) fn open_patient(&self) -> SqliteDatabase {
        SqliteDatabase::new(self.path.clone(), self.snapshots.clone(), false)
    }

    pub(crate) fn open_read_only(&self) -> SqliteDatabase {
        SqliteDatabase::read_only(self.path.clone(), self.snapshots.clone(), false).impatient()
    }

    /// What an operator does with the sqlite3 command line.
    pub(crate) fn edit(&self, sql: &str) {
        Connection::open(&self.path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    /// What such a select says, one line a row.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let column = |number| row.get::<_, rusqlite::types::Value>(number).unwrap();
            let columns: Vec<_> = (0..columns).map(column).collect();
            Ok(format!("{columns:?}"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn put(&self, bytes: &[u8]) {
        put(&self.path, bytes);
    }

    /// Every file below the root with its bytes, mode, inode and times.
    pub(crate) fn listing(&self) -> BTreeMap<Utf8PathBuf, (Vec<u8>, u32, u64, i64, i64)> {
        let mut listing = BTreeMap::new();
        collect(&self.root, &mut listing);
        listing
    }
}

fn collect(
    directory: &Utf8Path,
    listing: &mut BTreeMap<Utf8PathBuf, (Vec<u8>, u32, u64, i64, i64)>,
) {
    for entry in directory.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let metadata = std::fs::metadata(&path).unwrap();
        let bytes = if metadata.is_dir() {
            collect(&path, listing);
            Vec::new()
        } else {
            std::fs::read(&path).unwrap()
        };
        let facts = (
            bytes,
            metadata.mode(),
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        );
        listing.insert(path, facts);
    }
}

impl SqliteDatabase {
    fn impatient(mut self) -> Self {
        self.connections_mut().busy = Duration::from_millis(50);
        self
    }
}

/// A full disk: SQLite gives the same code where the file system refuses to let the file grow.
pub(crate) fn no_more_pages(database: &SqliteDatabase) {
    let set = "PRAGMA max_page_count = 1";
    database
        .connections()
        .read(|db, _| {
            db.execute_batch(set).unwrap();
            Ok(())
        })
        .unwrap();
}

impl StoreRig for Rig {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.open())
    }
}

impl BackupsRig for Rig {
    fn backups(&self) -> Box<dyn Backups> {
        Box::new(self.open_read_only())
    }

    fn file(&self, name: &str) -> String {
        self.root.join(name).into_string()
    }

    fn damage(&self, file: &str) {
        flip_a_bit(file);
    }
}

/// Damages a file in its middle.
pub(crate) fn flip_a_bit(file: &str) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(Utf8Path::new(file), &bytes);
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
pub(crate) fn put(path: &Utf8Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

pub(crate) fn node(database: &SqliteDatabase) -> NodeRecord {
    ports::contract::store::node(database)
}

pub(crate) fn read_fault(database: &SqliteDatabase) -> Failed {
    database.read().unwrap_err().into()
}

pub(crate) fn mode_of(path: &Utf8Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Another process that runs these statements and then keeps its connection.
pub(crate) struct OtherProcess(Child);

impl OtherProcess {
    pub(crate) fn holding(path: &Utf8Path, sql: &str) -> Self {
        use std::io::{BufRead, BufReader, Write};
        let mut child = Command::new("sqlite3")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need the sqlite3 command line");
        let input = child.stdin.as_mut().unwrap();
        writeln!(input, "{sql}\nSELECT 'ready-' || 'now';").unwrap();
        input.flush().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(
            output
                .lines()
                .any(|line| line.unwrap().contains("ready-now"))
        );
        Self(child)
    }

    /// The end of its input.
    pub(crate) fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_sqlite_adapter_keeps_the_contract() {
    suite(&mut || Box::new(Rig::new()));
    backups_suite(&mut || Box::new(Rig::new()));
}
