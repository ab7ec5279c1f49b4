//! Files that have no name until they are finished.

use std::fs::{File, hard_link, remove_file, rename};
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::FaultKind;
use rusqlite::OpenFlags;

use super::every_port::*;
use super::{Rig, mode_of, put};
use crate::sqlite::draft::{Draft, open_same};
use crate::sqlite::file_bytes::copy_as_it_is;

struct Place {
    _keep: tempfile::TempDir,
    directory: Utf8PathBuf,
}

impl Place {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let directory = keep.path().canonicalize().unwrap();
        Self {
            directory: Utf8PathBuf::from_path_buf(directory).unwrap(),
            _keep: keep,
        }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        self.directory.join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = (self.directory.read_dir_utf8().unwrap())
            .map(|entry| entry.unwrap().file_name().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Every kind: without a name, with one since SQLite has opened it, and with one from the
    /// beginning, where the file system knows no other; each with a table.
    fn drafts(&self) -> [Draft; 3] {
        let looked_at = Draft::within(&self.directory).unwrap();
        create_table(&looked_at);
        let unnamed = looked_at.another().unwrap();
        copy_as_it_is(looked_at.file(), unnamed.file(), &mut |_, _| ()).unwrap();
        let named = Draft::named(self.directory.clone()).unwrap();
        create_table(&named);
        let later = Draft::within(&self.directory).unwrap();
        let later = later.with_private_name().unwrap();
        create_table(&later);
        [unnamed, later, named]
    }
}

fn create_table(draft: &Draft) {
    let connection = draft.edit().unwrap();
    connection
        .execute_batch("CREATE TABLE kept (x); INSERT INTO kept VALUES (7)")
        .unwrap();
}

fn row_in(path: &Utf8Path) -> i64 {
    rusqlite::Connection::open(path)
        .unwrap()
        .query_row("SELECT x FROM kept", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn what_is_not_published_leaves_nothing() {
    let place = Place::new();
    let draft = Draft::within(&place.directory).unwrap();
    create_table(&draft);
    assert_eq!(place.names(), Vec::<String>::new());
    drop(draft);
    let mut draft = Draft::within(&place.directory).unwrap();
    draft = draft.with_private_name().unwrap();
    create_table(&draft);
    let reader = draft.read().unwrap();
    assert_eq!(place.names().len(), 1);
    draft.remove_name().unwrap();
    assert_eq!(place.names(), Vec::<String>::new());
    let row: i64 = (reader.query_row("SELECT x FROM kept", [], |row| row.get(0))).unwrap();
    assert_eq!(row, 7);
    let draft = Draft::named(place.directory.clone()).unwrap();
    create_table(&draft);
    assert_eq!(place.names().len(), 1);
    drop(draft);
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn a_name_that_is_taken_is_not_taken_over_unless_it_is_wanted() {
    for number in 0..3 {
        let place = Place::new();
        let path = place.path("kept.db");
        let mut draft = place.drafts().into_iter().nth(number).unwrap();
        put(&path, b"mine");
        assert!(!draft.publish(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        draft.replace(&path).unwrap();
        assert_eq!(row_in(&path), 7);
        assert_eq!(mode_of(&path), 0o600);
        drop(draft);
        assert_eq!(place.names(), ["kept.db"]);
    }
}

#[test]
fn a_name_that_is_free_is_given_once() {
    let place = Place::new();
    for (number, draft) in place.drafts().iter_mut().enumerate() {
        let path = place.path(&format!("{number}.db"));
        assert!(draft.publish(&path).unwrap());
        assert_eq!(row_in(&path), 7);
    }
    assert_eq!(place.names(), ["0.db", "1.db", "2.db"]);
}

#[test]
fn what_is_in_use_is_no_leftover_of_a_killed_process() {
    let place = Place::new();
    let in_use = Draft::named(place.directory.clone()).unwrap();
    let name = place.names().pop().unwrap();
    let left = place.path(".trustpoint-0123456789abcdef.tmp");
    put(&left, b"half");
    put(&place.path(".trustpoint-notes"), b"mine");
    drop(Draft::within(&place.directory).unwrap());
    assert_eq!(place.names(), [&name, ".trustpoint-notes"]);
    drop(in_use);
}

#[test]
fn a_file_that_was_exchanged_is_not_used() {
    let place = Place::new();
    let (ours, theirs) = (place.path("ours"), place.path("theirs"));
    for path in [&ours, &theirs] {
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE kept (x)")
            .unwrap();
    }
    let file = File::open(&ours).unwrap();
    let open =
        |path: &Utf8Path| open_same(&file, path, "immutable=1", OpenFlags::SQLITE_OPEN_READ_ONLY);
    drop(open(&ours).unwrap());
    hard_link(&ours, place.path("link")).unwrap();
    drop(open(&place.path("link")).unwrap());
    rename(&theirs, &ours).unwrap();
    assert_eq!(open(&ours).unwrap_err().kind(), FaultKind::Io);

    // The directory's owner exchanges the name of a draft, which then is not published either.
    let mut draft = Draft::named(place.directory.clone()).unwrap();
    draft.file().write_all(b"secret").unwrap();
    let names = place.names();
    let name = names
        .iter()
        .find(|name| name.starts_with(".trust"))
        .unwrap();
    remove_file(place.path(name)).unwrap();
    put(&place.path(name), b"theirs");
    assert_eq!(draft.edit().unwrap_err().kind(), FaultKind::Io);
    let fault = draft.publish(&place.path("kept")).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Io);
    assert_eq!(std::fs::read(place.path("kept")).unwrap(), b"theirs");
}

#[test]
fn a_start_removes_what_a_killed_restore_left_beside_the_database() {
    let rig = Rig::migrated();
    let left = rig.root.join(".trustpoint-0123456789abcdef.tmp");
    put(&left, b"half a database");
    rig.open().migrate().unwrap();
    assert!(!left.exists());
}
